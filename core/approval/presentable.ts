import type { HeldRequest } from "../ports/approval-desk.ts";
import { redactPasses } from "../identity/pass.ts";
import { visibleLines } from "../recording/visible.ts";

/** How far behind the cut it is looked for the end of a secret. */
const LONGEST_SECRET = 8_192;
const REDACTED = "[redacted]";

/**
 * What looks like a secret, wherever it stands. The gateway has taken the secrets out that the grammar tells; these are those
 * that only their look tells. No pattern looks further ahead than a bound, or gives up after looking far: time stays linear.
 */
const SECRETS: readonly (readonly [RegExp, string])[] = [
  [/-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]{0,40}PRIVATE KEY-----|$)/g, REDACTED],
  [/\b(?:AKIA|ASIA)[0-9A-Z]{16}\b/g, REDACTED],
  [/\beyJ[\w-]{8,2048}\.[\w-]{8,4096}\.[\w-]*/g, REDACTED],
  [/\b(Bearer\s{1,4})[\w.~+/=-]{8,}/gi, `$1${REDACTED}`],
  [
    /\b(\w{0,32}(?:password|passwd|passphrase|secret|api_?key|access_?key|token)"?\s{0,4}(?::|=>?|\bTO\b)?\s{0,4})E?'[^']*(?:'|$)/gi,
    `$1'${REDACTED}'`,
  ],
  [/(:\/\/[^\s:/@']{1,64}:)[^\s@'/]{1,256}@/g, `$1${REDACTED}@`],
];

/** What somebody wants, in a word or two. */
export const WANTS: Readonly<Record<HeldRequest["kind"], string>> = {
  connect: "connect",
  statement: "run a statement",
  command: "do this over SSH",
};

export interface Presentable {
  /** Every character shows, and has no other effect than to show. Still to be escaped for HTML. */
  readonly text: string;
  /** How many characters are not shown. */
  readonly cut: number;
}

/** A statement as people are shown it: what looks like a secret taken out, controls made visible, no longer than `length`. */
export function presentable(shown: string, length: number): Presentable {
  // Before it is cut: half a secret is not known for one.
  const near = shown.slice(0, length + LONGEST_SECRET);
  const scrubbed = scrub(near);
  const kept = scrubbed.slice(0, length).replace(/[\ud800-\udbff]$/, "");
  return { text: visibleLines(kept).join("\n"), cut: shown.length - near.length + scrubbed.length - kept.length };
}

/** The text without what looks like a secret. */
export function scrub(text: string): string {
  return SECRETS.reduce((rest, [pattern, by]) => rest.replace(pattern, by), redactPasses(text));
}
