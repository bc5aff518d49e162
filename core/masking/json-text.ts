/** What takes a token's place; the identical string if it stays. A string comes with its quotes. */
export type RewriteToken = (token: string, kind: "string" | "number", isKey: boolean) => string;

const STRING_OR_NUMBER = /"(?:[^"\\]|\\[^])*"|-?[0-9][0-9.eE+-]*/g;

/**
 * JSON's text with its strings, keys among them, and numbers rewritten, all else kept as it stands (RFC 8259 §2): the identical
 * string if all stay.
 * @param text one character a byte (latin1)
 */
export function rewriteJson(text: string, rewrite: RewriteToken): string {
  return text.replaceAll(STRING_OR_NUMBER, (token, offset: number) => {
    if (!token.startsWith('"')) return rewrite(token, "number", false);
    let next = offset + token.length;
    while (/\s/.test(text.charAt(next))) next++;
    return rewrite(token, "string", text[next] === ":");
  });
}

/** What a string token stands for, in UTF-8; undefined if it is none. */
export function jsonStringValue(token: string): Buffer | undefined {
  if (!token.includes("\\")) return Buffer.from(token.slice(1, -1), "latin1");
  try {
    const value: unknown = JSON.parse(Buffer.from(token, "latin1").toString());
    return typeof value === "string" ? Buffer.from(value) : undefined;
  } catch {
    return undefined;
  }
}

/** A string as a token, in latin1 again. */
export function jsonStringToken(value: Buffer): string {
  return Buffer.from(JSON.stringify(value.toString())).toString("latin1");
}
