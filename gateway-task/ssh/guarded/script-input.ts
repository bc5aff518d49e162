import { type Entered, type LineInput, MAX_LINE_BYTES, type Taken, TOO_LONG } from "./line-input.ts";
import { Completeness } from "./whole-line.ts";

const NEWLINE = 0x0a;
const END: Entered = { kind: "end" };

/** Lines as they are read from standard input, where there is no terminal. */
export class ScriptInput implements LineInput {
  /** Of a command: its pieces, where the last line of it begins among them, and all their bytes. */
  #begun: Buffer[] = [];
  #lastLine = 0;
  #length = 0;
  #completeness = new Completeness();

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
      if (newline < 0 || !this.#isComplete()) continue;
      return { bytes: at, entered: this.#enter(), shown: "" };
    }
    return { bytes: bytes.length, entered: undefined, shown: "" };
  }

  /** A shell runs what it has read at the end of its input. */
  finish(): Entered {
    return this.#length === 0 ? END : this.#enter();
  }

  get #isTooLong(): boolean {
    return this.#length > MAX_LINE_BYTES;
  }

  #add(bytes: Buffer): void {
    this.#length += bytes.length;
    if (!this.#isTooLong) this.#begun.push(Buffer.from(bytes));
  }

  /** Whether the line that has just ended is the last of its command. */
  #isComplete(): boolean {
    if (this.#isTooLong) return true;
    const line = Buffer.concat(this.#begun.slice(this.#lastLine));
    this.#lastLine = this.#begun.length;
    return this.#completeness.push(line.toString("utf8", 0, line.length - 1));
  }

  #enter(): Entered {
    const all = Buffer.concat(this.#begun);
    const tooLong = this.#isTooLong;
    this.#begun = [];
    this.#lastLine = this.#length = 0;
    this.#completeness = new Completeness();
    if (tooLong) return TOO_LONG;
    const line = all.at(-1) === NEWLINE ? all.subarray(0, -1) : all;
    if (line.includes(0)) return { kind: "unfit", why: "a line holds a NUL: it was not run" };
    return { kind: "line", line: Buffer.from(line) };
  }
}
