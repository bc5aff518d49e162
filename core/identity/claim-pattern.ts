/**
 * Does a whole text match a pattern? `*` stands for any run of characters but `:` and `/`, `**` for any run at all, and every other
 * character for itself. So a wildcard in the middle of a subject such as `repo:acme/*:ref:refs/heads/main` cannot swallow the
 * separators around it. Linear in text times pattern, whatever both are.
 */
export function matchesPattern(pattern: string, text: string): boolean {
  const parts = pattern.split(/(\*+)/).filter((part) => part !== "");
  let reached = new Set([0]);
  for (const part of parts) {
    const next = new Set<number>();
    if (!part.startsWith("*")) for (const at of reached) if (text.startsWith(part, at)) next.add(at + part.length);
    if (part.startsWith("*")) runFrom(reached, text, part.length > 1, next);
    if (next.size === 0) return false;
    reached = next;
  }
  return reached.has(text.length);
}

/** Every place where a wildcard may end that may begin at one of these. */
function runFrom(reached: ReadonlySet<number>, text: string, anything: boolean, ends: Set<number>): void {
  let running = false;
  for (let at = 0; at <= text.length; at++) {
    running ||= reached.has(at);
    if (running) ends.add(at);
    const character = text[at];
    if (!anything && (character === ":" || character === "/")) running = false;
  }
}
