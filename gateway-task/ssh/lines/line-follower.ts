import { type Known, readLine, type ShownLine, showsTyped } from "./shown-line.ts";
import { TerminalModel, type TerminalSize } from "./terminal-model.ts";
import { TypedLine } from "./typed-line.ts";

/** What is typed stands on the screen soon, unless echo is off. A target that is farther away is judged by what was typed alone. */
const ECHOED_WITHIN_MS = 150;
/** What a key such as an arrow does is seen when the output that it brings is over, or when none comes for so long. */
const EDITED_WITHIN_MS = 400;
const QUIET_MS = 30;
/** Prompts that are remembered: those of shells within shells, of folders. */
const MAX_PROMPTS = 8;
/** What a shell asks for the rest of a command by. */
const CONTINUATION = /^(?:[a-z ]*> ?|\.\.\. ?)?$/;
/** A backslash that the end of its line is escaped by: neither is part of the command (POSIX.1-2024, XCU 2.2.1). */
const ESCAPED_END = /(?:^|[^\\])(?:\\\\)*\\$/;
/** A command of several lines is put together up to this; then its lines are judged each by itself. */
const MAX_UNFINISHED = 32 << 10;

/** What an Enter would enter. */
export type EnteredLine =
  /** Nothing that is to be judged: an empty line, a password, a command that goes on in the next line. */
  | { readonly kind: "nothing" }
  | { readonly kind: "overlong" }
  /** Each is what may be entered: what is shown, and what was typed where that is something else. */
  | { readonly kind: "line"; readonly readings: readonly string[]; readonly hidden: boolean };

interface Unfinished {
  readonly text: string;
  readonly prompt: string | undefined;
}

/**
 * Follows the lines that are typed at a terminal, by what it shows and by the keys. Decides nothing and sends nothing; the time,
 * in milliseconds, is an argument.
 */
export class LineFollower {
  readonly #model: TerminalModel;
  readonly #isWhole: (text: string) => boolean;
  readonly #typed = new TypedLine();
  #prompts: readonly string[] = [];
  /** What stood before the cursor when the first key came, if the terminal was quiet then. */
  #learnt: string | undefined;
  #unfinished: Unfinished | undefined;
  #shownAt = 0;
  #typedAt = 0;
  #shownSinceKey = true;

  /** @param isWhole whether a text is a command, and not only its beginning */
  constructor(size: TerminalSize, isWhole: (text: string) => boolean) {
    this.#model = new TerminalModel(size);
    this.#isWhole = isWhole;
  }

  shown(bytes: Buffer, now: number): void {
    this.#model.shown(bytes);
    this.#shownAt = now;
    this.#shownSinceKey = true;
  }

  resize(size: TerminalSize): void {
    this.#model.resize(size);
  }

  /** A program has the whole screen: its keys are its own. */
  get isBlind(): boolean {
    return this.#model.isAlternate;
  }

  /** Takes what is typed up to an Enter; answers where that stands, or how many bytes there are if there is none. */
  take(bytes: Buffer, now: number): number {
    if (!this.#typed.begun && now - this.#shownAt >= QUIET_MS) this.#learnt = this.#beforeCursor();
    const end = this.#typed.take(bytes, () => this.#model.bracketsPaste);
    if (end > 0) {
      this.#typedAt = now;
      this.#shownSinceKey = false;
    }
    return end;
  }

  /** How long to wait at most until what was typed can be seen; 0 when it can, or never will. Ask again when something is shown. */
  wait(now: number): number {
    if (this.isBlind || !this.#typed.begun || this.#typed.overlong) return 0;
    const limit = this.#typedAt + (this.#typed.edited ? EDITED_WITHIN_MS : ECHOED_WITHIN_MS) - now;
    if (limit <= 0) return 0;
    if (!this.#typed.edited) return showsTyped(this.#model.screen(), this.#typed.text) ? 0 : limit;
    if (!this.#shownSinceKey) return limit;
    return Math.max(0, Math.min(limit, this.#shownAt + QUIET_MS - now));
  }

  /** The line that an Enter would enter now. */
  line(): EnteredLine {
    if (this.isBlind) return { kind: "nothing" };
    if (this.#typed.overlong) return { kind: "overlong" };
    const { readings, unfinished, hidden } = this.#read();
    if (unfinished === undefined)
      return readings.length === 0 ? { kind: "nothing" } : { kind: "line", readings, hidden };
    const text = continued(unfinished, readings);
    return this.#isWhole(text) ? { kind: "line", readings: [text], hidden } : { kind: "nothing" };
  }

  /** The Enter goes on. */
  entered(): void {
    if (!this.isBlind && !this.#typed.overlong) {
      const { readings, prompt, unfinished, hidden } = this.#read();
      const text = unfinished === undefined ? (readings[0] ?? "") : continued(unfinished, readings);
      const whole = hidden || text === "" || text.length > MAX_UNFINISHED || this.#isWhole(text);
      this.#unfinished = whole ? undefined : { text, prompt: unfinished === undefined ? prompt : unfinished.prompt };
      if (prompt !== undefined && prompt.trim() !== "") this.#remember(prompt);
    }
    this.#clear();
  }

  /** The line was cleared instead. */
  dropped(): void {
    this.#unfinished = undefined;
    this.#clear();
  }

  #clear(): void {
    if (!this.isBlind) this.#model.mark();
    this.#typed.clear();
    this.#learnt = undefined;
  }

  #read(): ShownLine & { readonly unfinished: Unfinished | undefined } {
    const { text, edited, moved } = this.#typed;
    const learnt = this.#learnt === undefined || this.#learnt.trim() === "" ? [] : [this.#learnt];
    const known: Known = { text, edited, moved, prompts: [...learnt, ...this.#prompts] };
    const shown = readLine(this.#model.screen(), known);
    const { prompt = "" } = shown;
    const goesOn = CONTINUATION.test(prompt) && prompt !== this.#unfinished?.prompt;
    return { ...shown, unfinished: goesOn ? this.#unfinished : undefined };
  }

  #beforeCursor(): string {
    const { rows, cursor, before } = this.#model.screen();
    let left = before;
    for (let at = cursor; at > 0 && rows[at]?.continues === true; at--) left = (rows[at - 1]?.text ?? "") + left;
    return left;
  }

  #remember(prompt: string): void {
    this.#prompts = [prompt, ...this.#prompts.filter((one) => one !== prompt)].slice(0, MAX_PROMPTS);
  }
}

/** A line behind those that it goes on from, as the shell would put them together. */
function continued({ text }: Unfinished, readings: readonly string[]): string {
  const next = readings[0] ?? "";
  return ESCAPED_END.test(text) ? text.slice(0, -1) + next : `${text}\n${next}`;
}
