const CR = 0x0d;
const LF = 0x0a;
/** Readline's operate-and-get-next (Ctrl-O) enters a line, too. */
const CTRL_O = 0x0f;
const ENTERS: readonly number[] = [CR, LF, CTRL_O];
const ESCAPE = 0x1b;
const BACKSPACE = 0x08;
const DELETE = 0x7f;
const CTRL_U = 0x15;
const TAB = 0x09;
/** Ctrl-C, Ctrl-D, Ctrl-Z, Ctrl-\: the line is given up. */
const GIVES_UP: ReadonlySet<number> = new Set([0x03, 0x04, 0x1a, 0x1c]);
/** What is typed without an Enter beyond this is not kept. */
const MAX_TYPED = 64 << 10;

/** Where input stands: in text, behind an escape, in a control sequence or behind SS3 (ECMA-48 §5). */
const TEXT = 0;
const ESCAPED = 1;
const SEQUENCE = 2;
const SINGLE_SHIFT = 3;

/** What was typed since the last Enter, as far as keys tell it. */
export class TypedLine {
  #typed: number[] = [];
  #state: number = TEXT;
  #parameters = "";
  #pasting = false;
  /** There was a key whose effect is only to be seen: an arrow, Tab, Ctrl-R. */
  edited = false;
  /** The cursor may stand before the line's end. */
  moved = false;
  /** There was more than is kept. */
  overlong = false;
  /** Some key was pressed. */
  begun = false;

  /** What was typed: exact unless `edited`. */
  get text(): string {
    return Buffer.from(this.#typed).toString("utf8");
  }

  /**
   * Takes what is typed up to an Enter.
   * @param bracketed whether what is pasted comes between brackets
   * @returns where the Enter stands; the number of bytes if there is none
   */
  take(bytes: Buffer, bracketed: () => boolean): number {
    for (let at = 0; at < bytes.length; at++) {
      const byte = bytes[at] as number;
      if (ENTERS.includes(byte) && !this.#pasting) return at;
      this.begun = true;
      this.#key(byte, bracketed);
    }
    return bytes.length;
  }

  /** The line was entered, or given up. */
  clear(): void {
    this.#typed = [];
    this.#state = TEXT;
    this.edited = this.moved = this.overlong = this.begun = false;
  }

  #key(byte: number, bracketed: () => boolean): void {
    if (byte === ESCAPE) {
      this.#state = ESCAPED;
      this.#parameters = "";
    } else if (this.#state === TEXT) this.#text(byte);
    else this.#escape(byte, bracketed);
  }

  #escape(byte: number, bracketed: () => boolean): void {
    if (this.#state === ESCAPED && byte === 0x5b) this.#state = SEQUENCE;
    else if (this.#state === ESCAPED && byte === 0x4f) this.#state = SINGLE_SHIFT;
    else if (this.#state === SEQUENCE && (byte < 0x40 || byte > 0x7e)) {
      if (this.#parameters.length < 16) this.#parameters += String.fromCharCode(byte);
    } else {
      const brackets = this.#state === SEQUENCE && byte === 0x7e;
      this.#state = TEXT;
      if (brackets && this.#parameters === "200" && bracketed()) this.#pasting = true;
      else if (brackets && this.#parameters === "201" && this.#pasting) this.#pasting = false;
      else this.edited = this.moved = true;
    }
  }

  #text(byte: number): void {
    if (this.#pasting) this.#add(byte === CR ? LF : byte);
    else if (byte >= 0x20 && byte !== DELETE) {
      if (this.moved) this.edited = true;
      this.#add(byte);
    } else if (byte === DELETE || byte === BACKSPACE) this.#erase();
    else if (byte === CTRL_U && !this.edited) this.#typed = [];
    else if (GIVES_UP.has(byte)) this.clear();
    else {
      this.edited = true;
      if (byte !== TAB) this.moved = true;
    }
  }

  #add(byte: number): void {
    if (this.#typed.length < MAX_TYPED) this.#typed.push(byte);
    else this.overlong = true;
  }

  /** A character: a byte, and those before it while it is one that goes on (UTF-8). */
  #erase(): void {
    if (this.#typed.length === 0) this.edited = true;
    for (let byte = this.#typed.pop(); byte !== undefined && (byte & 0xc0) === 0x80; byte = this.#typed.pop());
  }
}

/** Whether there is an Enter among what is typed, pasted or not. */
export function mayEnter(bytes: Buffer): boolean {
  return ENTERS.some((byte) => bytes.includes(byte));
}
