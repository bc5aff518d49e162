/** What a person does at a terminal's keyboard. */
export type Key =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "control"; readonly name: ControlName }
  /** Something that is no key of ours, or no text. */
  | { readonly kind: "unknown" };

export type ControlName =
  | "enter"
  | "backspace"
  | "delete"
  | "delete-or-end"
  | "left"
  | "right"
  | "up"
  | "down"
  | "home"
  | "end"
  | "kill-before"
  | "kill-behind"
  | "kill-word"
  | "clear"
  | "cancel"
  | "tab"
  | "paste"
  | "pasted";

const CONTROLS: Readonly<Record<number, ControlName>> = {
  0x01: "home",
  0x02: "left",
  0x03: "cancel",
  0x04: "delete-or-end",
  0x05: "end",
  0x06: "right",
  0x08: "backspace",
  0x09: "tab",
  0x0a: "enter",
  0x0b: "kill-behind",
  0x0c: "clear",
  0x0d: "enter",
  0x0e: "down",
  0x10: "up",
  0x15: "kill-before",
  0x17: "kill-word",
  0x7f: "backspace",
};

/** Behind ESC [ or ESC O (ECMA-48 §8.3; xterm's control sequences). */
const SEQUENCES: Readonly<Record<string, ControlName>> = {
  A: "up",
  B: "down",
  C: "right",
  D: "left",
  H: "home",
  F: "end",
  "1~": "home",
  "7~": "home",
  "4~": "end",
  "8~": "end",
  "3~": "delete",
  "200~": "paste",
  "201~": "pasted",
};

const ESCAPE = 0x1b;
/** Longer ones are of no key. */
const MAX_SEQUENCE = 32;

/** Controls of ISO 6429, separators, and what turns the direction of text around: it would not be shown as it is. */
const UNSHOWN = /[\u0080-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/;

/** Reads keys from the bytes that a terminal sends, however they are cut. */
export class KeyReader {
  /** What has begun and is not whole: an escape sequence or a character. */
  #begun: number[] = [];
  #afterReturn = false;

  /** Takes the next byte; a key, if it ends one. */
  push(byte: number): Key | undefined {
    if (this.#begun.length > 0) return this.#goOn(byte);
    // A pasted line may end in both.
    const second = byte === 0x0a && this.#afterReturn;
    this.#afterReturn = byte === 0x0d;
    if (second) return undefined;
    if (byte === ESCAPE || byte >= 0x80) {
      this.#begun.push(byte);
      return undefined;
    }
    const name = CONTROLS[byte];
    if (name !== undefined) return { kind: "control", name };
    return byte < 0x20 ? { kind: "unknown" } : { kind: "text", text: String.fromCharCode(byte) };
  }

  #goOn(byte: number): Key | undefined {
    if (this.#begun[0] === ESCAPE) return this.#sequence(byte);
    const length = lengthOf(this.#begun[0] as number);
    if (length === 0 || (byte & 0xc0) !== 0x80) {
      this.#begun = [];
      return length === 0 || byte < 0x80 ? (this.push(byte) ?? { kind: "unknown" }) : this.push(byte);
    }
    this.#begun.push(byte);
    if (this.#begun.length < length) return undefined;
    const bytes = Buffer.from(this.#begun);
    this.#begun = [];
    const text = bytes.toString("utf8");
    return text.includes("\uFFFD") || UNSHOWN.test(text) ? { kind: "unknown" } : { kind: "text", text };
  }

  #sequence(byte: number): Key | undefined {
    this.#begun.push(byte);
    const [, second] = this.#begun;
    if (this.#begun.length === 2 && (byte === 0x5b || byte === 0x4f)) return undefined;
    const bracketed = second === 0x5b || second === 0x4f;
    const goesOn = bracketed && byte >= 0x20 && byte < 0x40;
    if (goesOn && this.#begun.length < MAX_SEQUENCE) return undefined;
    const name = bracketed ? SEQUENCES[String.fromCharCode(...this.#begun.slice(2))] : undefined;
    this.#begun = [];
    return name === undefined ? { kind: "unknown" } : { kind: "control", name };
  }
}

/** Bytes of a character of UTF-8 by its first; 0 where none begins so. */
function lengthOf(first: number): number {
  if (first >= 0xc2 && first < 0xe0) return 2;
  if (first >= 0xe0 && first < 0xf0) return 3;
  return first >= 0xf0 && first < 0xf5 ? 4 : 0;
}
