const ESCAPE = 0x1b;
const STAR = 0x2a;
const SPACE = 0x20;
const DELETE = 0x7f;
/** What is typed at once and not shown for so long is pasted, and not followed. */
const MAX_PENDING = 1_024;

/** Where output stands: in text, behind an escape, in a control sequence, or in a string such as a title (ECMA-48 §5). */
const TEXT = 0;
const ESCAPED = 1;
const SEQUENCE = 2;
const STRING = 3;

/**
 * Tells whether a terminal shows what is typed (invariant 7). Nobody says that echo is off, so only what is seen to be shown
 * counts: what is typed is stored as it is while all that was typed before it, since the last key that is no character, has
 * been shown. All else is stored as stars. Nothing is lost by that: what the terminal shows is recorded, too.
 */
export class EchoWatch {
  #pending: number[] = [];
  #shows = false;
  #state: number = TEXT;

  /** What is to be stored of bytes that were typed: themselves, or a copy with stars. */
  typed(bytes: Buffer): Buffer {
    let trusted = this.#shows && this.#pending.length === 0;
    let stored = bytes;
    for (let at = 0; at < bytes.length; at++) {
      const byte = bytes[at] as number;
      this.#follow(byte);
      if (!isCharacter(byte)) trusted = false;
      else if (!trusted) {
        if (stored === bytes) stored = Buffer.from(bytes);
        stored[at] = STAR;
      }
    }
    return stored;
  }

  /** Bytes that the terminal shows: whether all text in them is what has been typed. */
  shown(bytes: Buffer): boolean {
    let isEcho = this.#pending.length > 0;
    for (let at = 0; at < bytes.length; at++) {
      const byte = bytes[at] as number;
      if (!this.#isText(byte)) continue;
      if (this.#pending.length === 0) isEcho = false;
      else if (byte !== this.#pending[0]) {
        // Something else than what was typed: it may be a prompt, or stars.
        this.#pending = [];
        this.#shows = isEcho = false;
      } else {
        this.#pending.shift();
        this.#shows = true;
      }
    }
    return isEcho;
  }

  #follow(byte: number): void {
    if (!isCharacter(byte)) {
      // Enter, Tab, an arrow: what comes next may be read without being shown.
      this.#pending = [];
      this.#shows = false;
    } else if (this.#pending.length < MAX_PENDING) this.#pending.push(byte);
    else this.#shows = false;
  }

  /** Whether a byte of output is text, and not part of an escape sequence or a control. */
  #isText(byte: number): boolean {
    switch (this.#state) {
      case TEXT:
        if (byte === ESCAPE) this.#state = ESCAPED;
        return isCharacter(byte);
      case ESCAPED:
        this.#state = byte === 0x5b ? SEQUENCE : byte === 0x5d || byte === 0x50 || byte === 0x5f ? STRING : TEXT;
        return false;
      case SEQUENCE:
        if (byte >= 0x40 && byte <= 0x7e) this.#state = TEXT;
        return false;
      default:
        if (byte === 0x07) this.#state = TEXT;
        else if (byte === ESCAPE) this.#state = ESCAPED;
        return false;
    }
  }
}

/** A printable byte of ASCII, or a byte of a character beyond it. */
function isCharacter(byte: number): boolean {
  return byte >= SPACE && byte !== DELETE;
}
