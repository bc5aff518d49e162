import { createRequire } from "node:module";
import type { IMarker, Terminal } from "@xterm/headless";
import { SallyportError } from "../../../core/errors.ts";

export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

/** A row of a screen. */
export interface Row {
  readonly text: string;
  /** Its text goes on from the row above, or so it looks: that one is full. */
  readonly continues: boolean;
}

/** What a terminal shows, from the top. */
export interface Screen {
  readonly rows: readonly Row[];
  /** The row where the cursor stands, and what stands on it before the cursor. */
  readonly cursor: number;
  readonly before: string;
  /** The row where the last line was entered, or -1: what follows begins below it. */
  readonly entered: number;
}

/** Larger ones are followed as if they were of this size: a cell takes 12 bytes. */
const LARGEST: TerminalSize = { columns: 512, rows: 200 };
const USUAL: TerminalSize = { columns: 80, rows: 24 };

/** Output that nobody has asked about is not interpreted but kept up to this; beyond it, only its end matters, and the modes that it set. */
const MAX_PENDING = 64 << 10;
const KEPT = 16 << 10;
/** Private modes (DECSET, DECRST), the two resets. */
const MODES = new RegExp(String.raw`\x1b(?:\[\?[\d;]{1,32}[hl]|c|\[!p)`, "g");
const MAX_MODES = 128;
/** Ends whatever sequence is open (ECMA-48, CAN). */
const CANCEL = Buffer.of(0x18);

/** The library's own way to interpret output at once; it is not among what it documents. Its version is pinned for that. */
const CORE = "_core";
interface Internals {
  readonly [CORE]: { writeSync(data: Uint8Array): void };
}
interface Library {
  readonly Terminal: typeof Terminal;
}
let library: Library | undefined;

/** A model of a terminal: what its screen shows after the output that went to it. Some 170 kB at 80 columns and 24 rows. */
export class TerminalModel {
  readonly #terminal: Terminal & Internals;
  #pending: Buffer[] = [];
  #pendingBytes = 0;
  #entered: IMarker | undefined;
  /** What was last read of it, as long as nothing has changed. */
  #read: Omit<Screen, "entered"> | undefined;

  constructor(size: TerminalSize) {
    library ??= createRequire(import.meta.url)("@xterm/headless") as Library;
    const { columns: cols, rows } = bounded(size);
    const options = { cols, rows, scrollback: 0, logLevel: "off", allowProposedApi: true } as const;
    this.#terminal = new library.Terminal(options) as Terminal & Internals;
  }

  /** Takes output; its bytes can be used again. */
  shown(bytes: Buffer): void {
    this.#pending.push(Buffer.from(bytes));
    this.#pendingBytes += bytes.length;
    if (this.#pendingBytes > MAX_PENDING) this.#shorten();
  }

  resize(size: TerminalSize): void {
    this.#interpret();
    const { columns, rows } = bounded(size);
    this.#read = undefined;
    this.#terminal.resize(columns, rows);
  }

  /** Whether a program has the whole screen to itself: an editor, a pager, tmux. */
  get isAlternate(): boolean {
    this.#interpret();
    return this.#terminal.buffer.active.type === "alternate";
  }

  /** Whether what is pasted comes between brackets, and runs only by an Enter behind them. */
  get bracketsPaste(): boolean {
    this.#interpret();
    return this.#terminal.modes.bracketedPasteMode;
  }

  /** A line is entered where the cursor stands. */
  mark(): void {
    this.#interpret();
    this.#entered?.dispose();
    this.#entered = this.#terminal.registerMarker(0);
  }

  screen(): Screen {
    this.#interpret();
    const { active } = this.#terminal.buffer;
    this.#read ??= this.#readScreen();
    const marked = (this.#entered?.line ?? -1) - active.baseY;
    const entered = marked < active.cursorY ? Math.max(marked, -1) : -1; // the screen was cleared
    return { ...this.#read, entered };
  }

  #readScreen(): Omit<Screen, "entered"> {
    const { active } = this.#terminal.buffer;
    const rows: Row[] = [];
    let full = false;
    for (let at = 0; at < this.#terminal.rows; at++) {
      const line = active.getLine(active.baseY + at);
      // A space at the end of a row that goes on is part of the text.
      const goesOn = at + 1 < this.#terminal.rows && active.getLine(active.baseY + at + 1)?.isWrapped === true;
      rows.push({ text: line?.translateToString(!goesOn) ?? "", continues: line?.isWrapped === true || full });
      full =
        (line
          ?.getCell(this.#terminal.cols - 1)
          ?.getChars()
          .trim() ?? "") !== "";
    }
    const line = active.getLine(active.baseY + active.cursorY);
    return { rows, cursor: active.cursorY, before: line?.translateToString(false, 0, active.cursorX) ?? "" };
  }

  #interpret(): void {
    if (this.#pendingBytes === 0) return;
    const all = this.#pending.length === 1 ? (this.#pending[0] as Buffer) : Buffer.concat(this.#pending);
    this.#pending = [];
    this.#pendingBytes = 0;
    this.#read = undefined;
    try {
      this.#terminal[CORE].writeSync(all);
    } catch (error) {
      throw new SallyportError("internal", "what the terminal shows can no longer be followed", { cause: error });
    }
  }

  #shorten(): void {
    const all = Buffer.concat(this.#pending);
    const newline = all.indexOf(0x0a, all.length - KEPT);
    const from = newline < 0 ? all.length - KEPT : newline;
    const modes = all.subarray(0, from).toString("latin1").match(MODES) ?? [];
    this.#pending = [CANCEL, Buffer.from(modes.slice(-MAX_MODES).join(""), "latin1"), Buffer.from(all.subarray(from))];
    this.#pendingBytes = this.#pending.reduce((sum, { length }) => sum + length, 0);
  }
}

function bounded({ columns, rows }: TerminalSize): TerminalSize {
  return {
    columns: columns < 2 ? USUAL.columns : Math.min(columns, LARGEST.columns),
    rows: rows < 1 ? USUAL.rows : Math.min(rows, LARGEST.rows),
  };
}
