import { isAt, runEnd, runStart } from "./byte-classes.ts";
import { nextMark, runMarks, type MarkKind, type Marks } from "./run-marks.ts";

/** What some detectors look for. */
export interface Seek {
  /**
   * Where in a stretch, from `at` on, the next may be: no value that begins there or later, and ends at the answered offset or
   * before it, holds anything for them. The stretch's end if there is none.
   */
  readonly next: (search: ValueSearch, at: number) => number;
  /** Where to go on in the value [start, end), if what is at `at`, where `next` was, is nothing there; else -1. */
  readonly dismiss?: (bytes: Buffer, at: number, start: number, end: number) => number;
}

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
      if (next < start) this.#next[n] = next = (this.#seeks[n] as Seek).next(this, start);
      if (next < end) return true;
      if (next < clear) clear = next;
    }
    this.#clear = clear;
    return false;
  }

  /** The same of what is known to be one value and no more, which is told from its bytes more exactly. */
  mayBeIn(start: number, end: number): boolean {
    if (!this.mayHold(start, end)) return false;
    for (let n = 0; n < this.#seeks.length; n++) {
      const { next, dismiss } = this.#seeks[n] as Seek;
      let at = this.#next[n] as number;
      if (at < start) at = next(this, start);
      while (at < end) {
        const behind = dismiss?.(this.bytes, at, start, end) ?? -1;
        if (behind < 0) return true;
        at = next(this, behind);
      }
      this.#next[n] = at;
    }
    return false;
  }

  /** Where the first run from `at` on begins that holds what is sought; the stretch's end if none does. */
  firstRun(at: number, sought: RunSought): number {
    const { bytes, from, to } = this;
    const { classes, length, holds } = sought;
    const marks = this.marks?.[sought.kind];
    if (marks === undefined) return this.#firstProbed(at, sought);
    let behind = at;
    for (let mark = nextMark(marks, at - from); mark < to - from; mark = nextMark(marks, behind - from)) {
      const start = runStart(bytes, from + mark, behind, classes);
      behind = runEnd(bytes, from + mark, to, classes);
      if (behind - start >= length && holds(bytes, start, behind, at)) return start;
    }
    return to;
  }

  /** In a short stretch: a byte of each that a run would reach is looked at. */
  #firstProbed(at: number, { classes, length, holds }: RunSought): number {
    const { bytes, to } = this;
    for (let probe = at + length - 1, behind = at; probe < to; probe += length) {
      if (!isAt(bytes, probe, at, to, classes)) continue;
      const start = runStart(bytes, probe, behind, classes);
      probe = behind = runEnd(bytes, probe, to, classes);
      if (behind - start >= length && holds(bytes, start, behind, at)) return start;
    }
    return to;
  }

  /** Where runs are, made when it is first needed; undefined in a short stretch. */
  get marks(): Marks | undefined {
    if (this.#marks === "unmade") this.#marks = runMarks(this.bytes, this.from, this.to);
    return this.#marks;
  }
}

/** Runs of bytes among which is what a detector looks for. */
export interface RunSought {
  readonly classes: number;
  /** Of the shortest. */
  readonly length: number;
  /** Each run in which anything is has a mark of this kind. */
  readonly kind: MarkKind;
  /** Whether it is in the run [start, end); no byte before `from` counts. */
  readonly holds: (bytes: Buffer, start: number, end: number, from: number) => boolean;
}
