import { visible } from "./visible.ts";

/** A text for reading: its lines, harmless to a terminal, and whether there was more of it. */
export interface PlainText {
  readonly lines: readonly string[];
  readonly more: boolean;
}

/** Wider lines go on in the next. */
const MAX_COLUMNS = 1_000;
/** A control string that does not end within this many characters is taken for text. */
const MAX_CONTROL_STRING = 4 << 10;
const FULL_SCREEN = "… a program had the whole screen";
const CSI = /\x1b\[([0-9:;<=>?]*)[ -/]*([@-~])/y; // eslint-disable-line no-control-regex
const ESCAPE = /\x1b[ -/]*[0-~]/y; // eslint-disable-line no-control-regex
const CONTROL_STRING = /\x1b[\]P^_X]/y; // eslint-disable-line no-control-regex
const ALTERNATE_SCREEN = /^\?(?:1049|1047|47)$/;

/**
 * What a terminal showed, as lines of text: without colours and other control sequences, with what was typed over as it
 * stood at last. It follows one line at a time: of programs that draw on the whole screen it says no more than that they did.
 * @param maxLines lines beyond it are left out
 */
export function plainText(text: string, maxLines: number): PlainText {
  const screen = new LineScreen(maxLines);
  for (let at = 0; at < text.length && !screen.isFull;) {
    const code = text.codePointAt(at) ?? 0;
    if (code === 0x1b) at = sequence(text, at, screen);
    else {
      screen.put(code);
      at += code > 0xffff ? 2 : 1;
    }
  }
  return screen.end();
}

/** Obeys the sequence at `at`; answers the offset behind it. */
function sequence(text: string, at: number, screen: LineScreen): number {
  CSI.lastIndex = ESCAPE.lastIndex = CONTROL_STRING.lastIndex = at;
  const [whole = "", parameters = "", final = ""] = CSI.exec(text) ?? [];
  if (final !== "") {
    screen.control(parameters, final);
    return at + whole.length;
  }
  if (CONTROL_STRING.test(text)) {
    const within = text.slice(at + 2, at + 2 + MAX_CONTROL_STRING);
    const [bell, terminator] = [within.indexOf("\x07"), within.indexOf("\x1b\\")];
    if (bell >= 0 && (terminator < 0 || bell < terminator)) return at + 2 + bell + 1;
    return at + 2 + (terminator >= 0 ? terminator + 2 : 0);
  }
  return ESCAPE.test(text) ? ESCAPE.lastIndex : at + 1;
}

class LineScreen {
  isFull = false;
  readonly #maxLines: number;
  readonly #lines: string[] = [];
  #line: string[] = [];
  #column = 0;
  #alternate = false;

  constructor(maxLines: number) {
    this.#maxLines = maxLines;
  }

  put(code: number): void {
    if (this.#alternate) return;
    if (code === 0x0a) this.#feed();
    else if (code === 0x0d) this.#column = 0;
    else if (code === 0x08) this.#column = Math.max(this.#column - 1, 0);
    else if (code === 0x09) this.#column = Math.min(this.#column + 8 - (this.#column % 8), MAX_COLUMNS);
    else if (code >= 0x20 && code !== 0x7f) this.#write(String.fromCodePoint(code));
  }

  /** A control sequence (ECMA-48 §5.4): those that move within a line. */
  control(parameters: string, final: string): void {
    if (ALTERNATE_SCREEN.test(parameters) && (final === "h" || final === "l")) return this.#switch(final === "h");
    const count = Math.min(Number.parseInt(parameters, 10) || 0, MAX_COLUMNS);
    if (final === "K") this.#erase(count);
    else if (final === "C") this.#column = Math.min(this.#column + Math.max(count, 1), MAX_COLUMNS);
    else if (final === "D") this.#column = Math.max(this.#column - Math.max(count, 1), 0);
    else if (final === "G") this.#column = Math.max(count, 1) - 1;
    else if (final === "P") this.#line.splice(this.#column, Math.max(count, 1));
    else if (final === "@") this.#insert(Math.max(count, 1));
  }

  end(): PlainText {
    if (!this.isFull && this.#line.length > 0) this.#feed();
    while (this.#lines.length > 0 && this.#lines.at(-1) === "") this.#lines.pop();
    return { lines: this.#lines, more: this.isFull };
  }

  #write(character: string): void {
    if (this.#column >= MAX_COLUMNS) this.#feed();
    while (this.#line.length < this.#column) this.#line.push(" ");
    this.#line[this.#column++] = character;
  }

  #insert(count: number): void {
    this.#line.splice(this.#column, 0, ...Array<string>(count).fill(" "));
    this.#line.length = Math.min(this.#line.length, MAX_COLUMNS);
  }

  #feed(): void {
    if (this.#lines.length === this.#maxLines) this.isFull = true;
    else this.#lines.push(visible(this.#line.join("")).trimEnd());
    this.#line = [];
    this.#column = 0;
  }

  #erase(what: number): void {
    if (what === 0) this.#line.length = Math.min(this.#line.length, this.#column);
    else if (what === 1) this.#line.fill(" ", 0, this.#column + 1);
    else this.#line = [];
  }

  #switch(on: boolean): void {
    if (on && !this.#alternate) {
      if (this.#line.length > 0) this.#feed();
      this.#line = Array.from(FULL_SCREEN);
      this.#feed();
    }
    this.#alternate = on;
  }
}
