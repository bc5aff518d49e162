/**
 * Whatever a terminal, an editor or a browser would obey, or not show: controls (Cc), formats such as the bidirectional
 * overrides (Cf), what is by default ignorable (DI), line and paragraph separators, lone surrogates.
 */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{DI}\p{Zl}\p{Zp}\p{Cs}]/gu;
/** The same but line feeds and tabs. */
const INVISIBLE_IN_LINES = /(?![\n\t])[\p{Cc}\p{Cf}\p{DI}\p{Zl}\p{Zp}\p{Cs}]/gu;

/** U+2400 to U+2420 are pictures of the controls U+0000 to U+0020; U+2421 is that of DEL. */
const CONTROL_PICTURES = 0x2400;
const DELETE = 0x7f;
const DELETE_PICTURE = "\u2421";

function picture(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  if (code < 0x20) return String.fromCodePoint(CONTROL_PICTURES + code);
  if (code === DELETE) return DELETE_PICTURE;
  return `<U+${code.toString(16).toUpperCase().padStart(4, "0")}>`;
}

/** A text on one line that a terminal cannot but show: every character with another effect is replaced by its picture. */
export function visible(text: string): string {
  return text.replace(INVISIBLE, picture);
}

/** The lines of a text, each harmless to a terminal; tabs stay, CRLF ends a line as LF does. */
export function visibleLines(text: string): string[] {
  return text.split(/\r?\n/).map((line) => line.replace(INVISIBLE_IN_LINES, picture));
}
