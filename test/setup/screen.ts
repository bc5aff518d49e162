import { columnsOf } from "../../gateway-task/ssh/guarded/columns.ts";

/** As much of a terminal as a line editor uses: text that wraps at the last column, as xterm's does, and moves of the cursor. */
export class Screen {
  readonly #width: number;
  #rows: string[][] = [[]];
  #row = 0;
  #column = 0;

  constructor(width: number) {
    this.#width = width;
  }

  show(text: string): void {
    for (let at = 0; at < text.length;) {
      const sequence = /^\x1b\[(\??\d*)([A-Za-z])/.exec(text.slice(at)); // oxlint-disable-line no-control-regex
      if (sequence !== null) {
        this.#move(sequence[2] ?? "", Number.parseInt(sequence[1] || "1", 10));
        at += sequence[0].length;
      } else {
        const character = String.fromCodePoint(text.codePointAt(at) ?? 0);
        this.#write(character);
        at += character.length;
      }
    }
  }

  /** Its rows without blanks at their ends, the last ones that are empty left out. */
  get text(): string[] {
    const rows = this.#rows.map((row) => Array.from(row, (cell) => cell ?? " ").join("").trimEnd()); // prettier-ignore
    while (rows.length > 1 && rows.at(-1) === "") rows.pop();
    return rows;
  }

  get cursor(): { row: number; column: number } {
    return { row: this.#row, column: this.#column };
  }

  at(row: number, column: number): string | undefined {
    return this.#rows[row]?.[column];
  }

  #write(character: string): void {
    if (character === "\r") this.#column = 0;
    else if (character === "\n") this.#to(this.#row + 1);
    else if (character >= " ") {
      const columns = columnsOf(character);
      if (columns > 0 && this.#column + columns > this.#width) {
        this.#to(this.#row + 1);
        this.#column = 0;
      }
      const row = this.#rows[this.#row] as string[];
      if (columns === 0) row[this.#column - 1] += character;
      else {
        row[this.#column] = character;
        if (columns === 2) row[this.#column + 1] = "";
        this.#column += columns;
      }
    }
  }

  #to(row: number): void {
    this.#row = row;
    while (this.#rows.length <= row) this.#rows.push([]);
  }

  #move(way: string, count: number): void {
    if (way === "A") this.#to(Math.max(this.#row - count, 0));
    else if (way === "C") this.#column = Math.min(this.#column + count, this.#width - 1);
    else if (way === "J") {
      this.#rows.length = this.#row + 1;
      (this.#rows[this.#row] as string[]).length = this.#column;
    }
  }
}
