/** One policy's text, and where in its file it begins. */
export interface PolicyText {
  readonly text: string;
  readonly start: number;
}

/** Blank space, and comments. */
const NOTHING = /(?:\s|\/\/[^\n\r]*)*/y;
/** Up to the next `;` that is in no string and no comment. Where there is none, all the rest: the parser says what is wrong. */
const POLICY = /(?:"(?:[^"\\]|\\[\s\S])*"|\/\/[^\n\r]*|[^;"/]+|["/])*;?/y;

/** The policies of a file, each by itself: what `;` ends (Cedar's grammar has it nowhere else but in strings and comments). */
export function splitPolicies(text: string): PolicyText[] {
  const policies: PolicyText[] = [];
  for (let start = skip(NOTHING, text, 0); start < text.length;) {
    const end = skip(POLICY, text, start);
    policies.push({ text: text.slice(start, end), start });
    start = skip(NOTHING, text, end);
  }
  return policies;
}

function skip(pattern: RegExp, text: string, from: number): number {
  pattern.lastIndex = from;
  return pattern.test(text) ? pattern.lastIndex : from;
}

/** A place for people, such as `12:5`. */
export function lineAndColumn(text: string, offset: number): string {
  const before = text.slice(0, offset).split(/\r\n|\r|\n/);
  return `${before.length}:${(before.at(-1) ?? "").length + 1}`;
}

/** Cedar counts bytes of UTF-8. */
export function offsetOfByte(text: string, byte: number): number {
  return Buffer.from(text).subarray(0, byte).toString().length;
}
