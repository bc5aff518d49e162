const ESCAPE = /\\(?:x([0-9A-Fa-f]{1,2})|u([0-9A-Fa-f]{1,4})|U([0-9A-Fa-f]{1,8})|([0-7]{1,3})|c([\s\S])|([\s\S]))/g;
const LETTERS: Readonly<Record<string, string>> = {
  a: "\u0007",
  b: "\b",
  e: "\u001b",
  E: "\u001b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
  "\\": "\\",
  "'": "'",
  '"': '"',
  "?": "?",
};

/** What stands between `$'` and `'` (Bash manual, 3.1.2.4). A NUL ends it, as in bash. */
export function ansiText(written: string): string {
  const text = written.replaceAll(
    ESCAPE,
    (whole, hex?: string, short?: string, long?: string, octal?: string, control?: string, letter = "") => {
      const digits = hex ?? short ?? long;
      if (digits !== undefined) return character(Number.parseInt(digits, 16));
      if (octal !== undefined) return character(Number.parseInt(octal, 8) & 0xff);
      if (control !== undefined) return character(control.charCodeAt(0) & 0x1f);
      return LETTERS[letter as string] ?? whole;
    },
  );
  const end = text.indexOf("\0");
  return end < 0 ? text : text.slice(0, end);
}

function character(code: number): string {
  return code <= 0x10_ff_ff ? String.fromCodePoint(code) : "\uFFFD";
}
