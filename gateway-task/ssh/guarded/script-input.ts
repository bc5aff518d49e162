import { type Entered, type LineInput, MAX_LINE_BYTES, type Taken, TOO_LONG } from "./line-input.ts";
import { isWholeLine } from "./whole-line.ts";

const NEWLINE = 0x0a;
const END: Entered = { kind: "end" };

/** Lines as they are read from standard input, where there is no terminal. */
export class ScriptInput implements LineInput {
  #begun: Buffer[] = [];
  #length = 0;

  ask(): string {
    return "";
  }

  resize(): string {
    return "";
  }

  take(bytes: Buffer): Taken {
    for (let at = 0; at < bytes.length;) {
      const newline = bytes.indexOf(NEWLINE, at);
      const end = newline < 0 ? bytes.length : newline + 1;
      this.#add(bytes.subarray(at, end));
      at = end;
      const entered = newline < 0 ? undefined : this.#entered(false);
      if (entered !== undefined) return { bytes: at, entered, shown: "" };
    }
    return { bytes: bytes.length, entered: undefined, shown: "" };
  }

  /** A shell runs what it has read at the end of its input. */
  finish(): Entered {
    return this.#length === 0 ? END : (this.#entered(true) ?? END);
  }

  #add(bytes: Buffer): void {
    this.#length += bytes.length;
    if (this.#length <= MAX_LINE_BYTES) this.#begun.push(Buffer.from(bytes));
  }

  #entered(atEnd: boolean): Entered | undefined {
    const all = Buffer.concat(this.#begun);
    const line = all.at(-1) === NEWLINE ? all.subarray(0, -1) : all;
    const tooLong = this.#length > MAX_LINE_BYTES;
    if (!tooLong && !atEnd && !isWholeLine(line.toString("utf8"))) return undefined;
    this.#begun = [];
    this.#length = 0;
    if (tooLong) return TOO_LONG;
    if (line.includes(0)) return { kind: "unfit", why: "a line holds a NUL: it was not run" };
    return { kind: "line", line: Buffer.from(line) };
  }
}
