const MAX_LINES = 500;
const MAX_CHARACTERS = 256 << 10;

/** Lines that were entered before, and which of them is shown. */
export class History {
  #lines: string[] = [];
  #characters = 0;
  #at = 0;
  /** What was being entered when an older line was asked for. */
  #draft = "";

  add(line: string): void {
    if (line.trim() !== "" && line !== this.#lines.at(-1)) {
      this.#lines.push(line);
      this.#characters += line.length;
      while (this.#lines.length > MAX_LINES || this.#characters > MAX_CHARACTERS)
        this.#characters -= this.#lines.shift()?.length ?? 0;
    }
    this.#at = this.#lines.length;
  }

  /** The line before the one that is shown; undefined where there is none. */
  older(shown: string): string | undefined {
    if (this.#at === 0) return undefined;
    if (this.#at === this.#lines.length) this.#draft = shown;
    return this.#lines[--this.#at];
  }

  newer(): string | undefined {
    if (this.#at === this.#lines.length) return undefined;
    return this.#lines[++this.#at] ?? this.#draft;
  }
}
