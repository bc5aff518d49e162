/** Where output stands: in text, or somewhere within an escape sequence (ECMA-48 §5.3-5.6). */
const TEXT = 0;
const ESCAPED = 1;
const INTERMEDIATE = 2;
const SEQUENCE = 3;
const STRING = 4;
type EscapeState = typeof TEXT | typeof ESCAPED | typeof INTERMEDIATE | typeof SEQUENCE | typeof STRING;

/** What a byte is to whoever reads the text. */
export const PART = {
  /** Of the text. */
  text: 0,
  /** Of nothing that is seen. */
  nothing: 1,
  /** What follows stands elsewhere: a line's end, a movement of the cursor. */
  lineEnd: 2,
  /** Of a string for the terminal, such as a title or a link (ECMA-48 §5.6). */
  string: 3,
  stringEnd: 4,
} as const;
export type Part = (typeof PART)[keyof typeof PART];

const BELL = 0x07;
export const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
/** They switch between character sets; some terminals' "plain again" ends with one. */
export const SHIFT_OUT = 0x0e;
export const SHIFT_IN = 0x0f;
const CANCEL = 0x18;
const SUBSTITUTE = 0x1a;
export const ESCAPE = 0x1b;

/** Final bytes of control sequences that move the cursor, or scroll (ECMA-48 §8.3; xterm's DECSTBM and SCORC). */
const MOVING = setOf("ABCDEFGHIZ`adefruST");
/** The same of sequences of two characters: index, next line, reverse index, restore cursor, reset. */
const MOVING_ESCAPES = setOf("DEM8c");
/** DCS, SOS, OSC, PM, APC. */
const STRINGS = setOf("PX]^_");

function setOf(characters: string): ReadonlySet<number> {
  return new Set(Buffer.from(characters));
}

export function isLineEnd(byte: number): boolean {
  return byte === LINE_FEED || byte === CARRIAGE_RETURN;
}

/** Follows escape sequences, as xterm understands them. */
export class Escapes {
  #state: EscapeState = TEXT;

  get isInText(): boolean {
    return this.#state === TEXT;
  }

  /** Takes the next byte. */
  take(byte: number): Part {
    switch (this.#state) {
      case TEXT:
        return this.#text(byte);
      case ESCAPED:
      case INTERMEDIATE:
        return this.#escaped(byte);
      case SEQUENCE:
        return this.#sequence(byte);
      case STRING:
        return this.#string(byte);
    }
  }

  #text(byte: number): Part {
    if (byte === ESCAPE) this.#state = ESCAPED;
    else if (isLineEnd(byte)) return PART.lineEnd;
    else if (byte !== SHIFT_IN && byte !== SHIFT_OUT) return PART.text;
    return PART.nothing;
  }

  #escaped(byte: number): Part {
    const first = this.#state === ESCAPED;
    if (byte === ESCAPE) this.#state = ESCAPED;
    else if (first && byte === 0x5b) this.#state = SEQUENCE;
    else if (first && STRINGS.has(byte)) this.#state = STRING;
    else if (byte >= 0x20 && byte < 0x30) this.#state = INTERMEDIATE;
    else {
      this.#state = TEXT;
      if (isLineEnd(byte) || (first && MOVING_ESCAPES.has(byte))) return PART.lineEnd;
    }
    return PART.nothing;
  }

  #sequence(byte: number): Part {
    if (byte === ESCAPE) this.#state = ESCAPED;
    else if (byte === CANCEL || byte === SUBSTITUTE) this.#state = TEXT;
    else if (isLineEnd(byte)) return PART.lineEnd;
    else if (byte >= 0x40 && byte <= 0x7e) {
      this.#state = TEXT;
      if (MOVING.has(byte)) return PART.lineEnd;
    }
    return PART.nothing;
  }

  #string(byte: number): Part {
    if (isLineEnd(byte)) return PART.stringEnd;
    if (byte !== BELL && byte !== ESCAPE && byte !== CANCEL && byte !== SUBSTITUTE) return PART.string;
    this.#state = byte === ESCAPE ? ESCAPED : TEXT;
    return PART.stringEnd;
  }
}
