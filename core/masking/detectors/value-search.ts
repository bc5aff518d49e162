import { isAt, runEnd, runStart } from "./byte-classes.ts";
import { BEFORE, BLOCK, NO_RUN, runMarks, type MarkKind, type Marks } from "./run-marks.ts";

/**
 * Where in a stretch, from `at` on, the next may be that some detectors look for: no value that begins there or later, and ends
 * at the answered offset or before it, holds anything for them. The stretch's end if there is none.
 */
export type Seek = (search: ValueSearch, at: number) => number;

/** Finds out which values of a stretch of bytes have to be looked at: each detector's next place is sought once for all of them. */
export class ValueSearch {
  readonly bytes: Buffer;
  readonly from: number;
  readonly to: number;
  readonly #seeks: readonly Seek[];
  /** What each of them last answered. */
  readonly #next: number[];
  /** No value from where was last asked that ends before it has to be looked at. */
  #clear: number;
  /** Made when they are first needed. */
  #marks: Marks | undefined | "unmade" = "unmade";

  constructor(bytes: Buffer, from: number, to: number, seeks: readonly Seek[]) {
    this.bytes = bytes;
    this.from = from;
    this.to = to;
    this.#seeks = seeks;
    this.#next = seeks.map(() => -1);
    this.#clear = from;
  }

  /**
   * Whether a detector may find something in the value at [start, end), whatever the bytes around it.
   * @param start not before that of the last value that was asked about
   */
  mayHold(start: number, end: number): boolean {
    if (end <= this.#clear) return false;
    let clear = this.to;
    for (let n = 0; n < this.#seeks.length; n++) {
      let next = this.#next[n] as number;
      if (next < start) this.#next[n] = next = (this.#seeks[n] as Seek)(this, start);
      if (next < end) return true;
      if (next < clear) clear = next;
    }
    this.#clear = clear;
    return false;
  }

  /** Where the first run from `at` on begins that holds what is sought; the stretch's end if none does. */
  firstRun(at: number, sought: RunSought): number {
    const { bytes, to } = this;
    const { classes, length } = sought;
    for (let probe = this.#marked(at + length - 1, sought), behind = at; probe < to;) {
      let next = probe;
      if (isAt(bytes, probe, at, to, classes)) {
        const start = runStart(bytes, probe, behind, classes);
        next = behind = runEnd(bytes, probe, to, classes);
        if (next - start >= length && sought.holds(bytes, start, next, at)) return start;
      }
      probe = this.#marked(next + length, sought);
    }
    return to;
  }

  /** The first place from `probe` on that a marked block is about, with room for a run before it. */
  #marked(probe: number, { kind, length }: RunSought): number {
    if (this.#marks === "unmade") this.#marks = runMarks(this.bytes, this.from, this.to);
    const marks = this.#marks?.[kind];
    if (marks === undefined) return probe;
    let block = Math.floor((probe - this.from) / BLOCK);
    while (block < marks.length && marks[block] === NO_RUN) block++;
    if (block >= marks.length) return this.to;
    return Math.max(probe, this.from + block * BLOCK - BEFORE + (marks[block] as number) + length - 1);
  }
}

/** Runs of bytes among which is what a detector looks for. */
export interface RunSought {
  readonly classes: number;
  /** Of the shortest. */
  readonly length: number;
  /**
   * Blocks have a mark of this kind where such a run may be. As a run that reaches into a block by half marks that block, too,
   * the first `length` bytes of what is sought are never behind the last marked one.
   */
  readonly kind: MarkKind;
  /** Whether it is in the run [start, end); no byte before `from` counts. */
  readonly holds: (bytes: Buffer, start: number, end: number, from: number) => boolean;
}
