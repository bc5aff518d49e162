import { columnsOf, type Place, placeBehind } from "./columns.ts";
import { History } from "./history.ts";
import { type ControlName, type Key, KeyReader } from "./keys.ts";
import { type Entered, type LineInput, MAX_LINE_BYTES, type Taken, TOO_LONG } from "./line-input.ts";
import { Completeness } from "./whole-line.ts";

const BELL = "\x07";
const CONTINUED = "> ";
/** xterm's bracketed paste: the terminal says what is pasted. */
const PASTES = { on: "\x1b[?2004h", off: "\x1b[?2004l" };
const MIN_COLUMNS = 8;
const ORIGIN: Place = { row: 0, column: 0 };

/** The line editor of a person at a terminal: keys in, lines and what the terminal shows out. Touches nothing else. */
export class LineEditor implements LineInput {
  readonly #keys = new KeyReader();
  readonly #history = new History();
  readonly #pastes: boolean;
  #columns: number;
  #prompt = "";
  /** Lines that want more. */
  #before = "";
  #completeness = new Completeness();
  #characters: string[] = [];
  #bytes = 0;
  #cursor = 0;
  #tooLong = false;
  /** Where the terminal's cursor stands, from where the prompt begins. */
  #place = ORIGIN;
  #shown = "";
  /** What the terminal shows is not what it should. */
  #stale = false;

  /** @param terminal its type, and how many columns it has */
  constructor({ term, columns }: { readonly term: string; readonly columns: number }) {
    this.#columns = Math.max(columns, MIN_COLUMNS);
    this.#pastes = term !== "" && term !== "dumb";
  }

  ask(place: string): string {
    this.#prompt = place;
    if (this.#pastes) this.#shown += PASTES.on;
    this.#fresh();
    return this.#take();
  }

  resize(columns: number): string {
    this.#columns = Math.max(columns, MIN_COLUMNS);
    this.#stale = true;
    return this.#take();
  }

  take(bytes: Buffer): Taken {
    for (let at = 0; at < bytes.length; at++) {
      const key = this.#keys.push(bytes[at] as number);
      const entered = key && this.#press(key);
      if (entered === undefined) continue;
      if (this.#pastes) this.#shown += PASTES.off;
      return { bytes: at + 1, entered, shown: this.#take() };
    }
    return { bytes: bytes.length, entered: undefined, shown: this.#take() };
  }

  finish(): Entered {
    return { kind: "end" };
  }

  #press(key: Key): Entered | undefined {
    if (key.kind === "text") this.#insert(key.text);
    else if (key.kind === "control") return this.#control(key.name);
    else this.#shown += BELL;
    return undefined;
  }

  #control(name: ControlName): Entered | undefined {
    const { length } = this.#characters;
    switch (name) {
      case "enter":
        return this.#enter();
      case "cancel":
        return this.#cancel();
      case "delete-or-end":
        if (length > 0) return this.#remove(this.#cursor, this.#behind());
        return this.#before === "" ? this.#end() : this.#bell();
      case "delete":
        return this.#remove(this.#cursor, this.#behind());
      case "backspace":
        return this.#remove(this.#ahead(), this.#cursor);
      case "kill-before":
        return this.#remove(0, this.#cursor);
      case "kill-behind":
        return this.#remove(this.#cursor, length);
      case "kill-word":
        return this.#remove(this.#word(), this.#cursor);
      case "left":
        return this.#move(this.#ahead());
      case "right":
        return this.#move(this.#behind());
      case "home":
        return this.#move(0);
      case "end":
        return this.#move(length);
      case "up":
        return this.#recall(this.#history.older(this.#text()));
      case "down":
        return this.#recall(this.#history.newer());
      case "clear":
        this.#shown += "\x1b[H\x1b[2J";
        this.#place = ORIGIN;
        this.#stale = true;
        return undefined;
      case "tab":
        return this.#insert(" ");
      case "paste":
      case "pasted":
        return undefined; // each of its lines is entered by itself
    }
  }

  #insert(text: string): undefined {
    const bytes = Buffer.byteLength(text);
    if (this.#bytes + bytes + Buffer.byteLength(this.#before) > MAX_LINE_BYTES) {
      this.#tooLong = true;
      return this.#bell();
    }
    this.#bytes += bytes;
    const atEnd = this.#cursor === this.#characters.length;
    this.#characters.splice(this.#cursor++, 0, text);
    // A mark goes to the character before it, which may stand in the row above.
    if (!atEnd || columnsOf(text) === 0) this.#stale = true;
    else if (!this.#stale) this.#write([text]);
    return undefined;
  }

  #remove(from: number, to: number): undefined {
    if (from === to) return this.#bell();
    for (const character of this.#characters.splice(from, to - from)) this.#bytes -= Buffer.byteLength(character);
    this.#cursor = from;
    this.#stale = true;
    return undefined;
  }

  #move(to: number): undefined {
    this.#cursor = to;
    this.#stale = true;
    return undefined;
  }

  #recall(line: string | undefined): undefined {
    if (line === undefined) return this.#bell();
    this.#characters = Array.from(line);
    this.#bytes = Buffer.byteLength(line);
    this.#cursor = this.#characters.length;
    this.#stale = true;
    return undefined;
  }

  #bell(): undefined {
    this.#shown += BELL;
    return undefined;
  }

  #enter(): Entered | undefined {
    this.#leave();
    const line = this.#text();
    this.#history.add(line);
    const text = this.#before + line;
    const { length } = text;
    if (this.#tooLong) {
      this.#forget();
      return TOO_LONG;
    }
    const completeness = this.#completeness;
    const isWhole = completeness.push(line);
    this.#forget();
    if (isWhole) return { kind: "line", line: Buffer.from(text) };
    this.#before = `${text}\n`;
    this.#completeness = completeness;
    if (length >= MAX_LINE_BYTES) this.#tooLong = true;
    this.#fresh();
    return undefined;
  }

  #cancel(): undefined {
    this.#leave("^C");
    this.#forget();
    this.#fresh();
    return undefined;
  }

  #end(): Entered {
    this.#leave("exit");
    return { kind: "end" };
  }

  /** Goes to the row behind the line. */
  #leave(word = ""): void {
    this.#cursor = this.#characters.length;
    if (this.#stale) this.#draw();
    this.#shown += `${word}\r\n`;
    this.#place = ORIGIN;
  }

  #forget(): void {
    this.#characters = [];
    this.#bytes = this.#cursor = 0;
    this.#before = "";
    this.#completeness = new Completeness();
    this.#tooLong = false;
  }

  #fresh(): void {
    this.#place = ORIGIN;
    this.#write(this.#asks());
    this.#stale = false;
  }

  /** Shows characters where the cursor stands. */
  #write(characters: Iterable<string>): void {
    this.#place = placeBehind(characters, this.#columns, this.#place);
    this.#shown += Array.from(characters).join("");
    // A terminal goes to the next row only when something is written there.
    if (this.#place.column === 0 && this.#place.row > 0) this.#shown += " \r";
  }

  /** Draws the prompt and the line again, with the cursor in its place. */
  #draw(): void {
    this.#shown += `\r${by(this.#place.row, "A")}\x1b[J`;
    this.#fresh();
    const begins = this.#place;
    this.#write(this.#characters);
    if (this.#cursor === this.#characters.length) return;
    const cursor = placeBehind(this.#characters.slice(0, this.#cursor), this.#columns, begins);
    this.#shown += `\r${by(this.#place.row - cursor.row, "A")}${by(cursor.column, "C")}`;
    this.#place = cursor;
  }

  #take(): string {
    if (this.#stale) this.#draw();
    const shown = this.#shown;
    this.#shown = "";
    return shown;
  }

  #asks(): string {
    return this.#before === "" ? this.#prompt : CONTINUED;
  }

  #text(): string {
    return this.#characters.join("");
  }

  /** Where the character before the cursor begins; marks belong to the one that they stand on. */
  #ahead(): number {
    let at = Math.max(this.#cursor - 1, 0);
    while (at > 0 && isMark(this.#characters[at])) at--;
    return at;
  }

  #behind(): number {
    let at = Math.min(this.#cursor + 1, this.#characters.length);
    while (at < this.#characters.length && isMark(this.#characters[at])) at++;
    return at;
  }

  #word(): number {
    let at = this.#cursor;
    while (at > 0 && this.#characters[at - 1] === " ") at--;
    while (at > 0 && this.#characters[at - 1] !== " ") at--;
    return at;
  }
}

function isMark(character: string | undefined): boolean {
  return character !== undefined && columnsOf(character) === 0;
}

function by(count: number, way: "A" | "C"): string {
  return count > 0 ? `\x1b[${count}${way}` : "";
}
