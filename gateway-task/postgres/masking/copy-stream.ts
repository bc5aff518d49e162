import type { Search } from "../../../core/masking/masking.ts";
import { message } from "../answers.ts";
import { MESSAGE_HEADER_BYTES } from "../messages.ts";
import { BACKSLASH, NEWLINE } from "./copy-fields.ts";
import type { CopyLayout } from "./copy-layout.ts";
import { CopySplitter, rewriteCopy, type CopyRows } from "./copy-rows.ts";
import type { CopyPlan } from "./knowledge.ts";
import type { ShownBuilder } from "./shown.ts";
import type { MaskView } from "./view.ts";

/** The data of one COPY as it goes by: CopyData messages of complete rows, as each view may have them. */
export class CopyStream {
  readonly #plan: CopyPlan;
  readonly #splitter: CopySplitter;
  /** Whose detectors are all that there are. */
  readonly #record: MaskView;
  /** What a row's values are not written with as they are; undefined where rows have to be looked at value by value. */
  readonly #special: readonly number[] | undefined;
  /** How many fields a row must have: with another number nobody knows which is which, and all are masked. Undefined: any. */
  readonly #fields: number | undefined;

  constructor(plan: CopyPlan, record: MaskView) {
    this.#plan = plan;
    this.#splitter = new CopySplitter(plan.layout);
    this.#record = record;
    this.#special = isSearchedWhole(plan, record) ? specialBytes(plan.layout) : undefined;
    this.#fields = plan.rows.rest.rule === undefined ? undefined : plan.rows.columns.length;
  }

  /** CopyData messages, all complete, between two offsets. What the last leaves incomplete goes on with a later one. */
  push(bytes: Buffer, from: number, to: number, shown: ShownBuilder): void {
    const look = this.#special && new Look(bytes, from, this.#record.masking.search(bytes, from, to), this.#special);
    for (let at = from; at < to;) {
      const end = at + 1 + bytes.readUInt32BE(at + 1);
      // PostgreSQL sends a row a message; most are seen to be harmless as a whole.
      if (this.#splitter.isBetweenRows && this.#hasItsFields(bytes, at, end) && look?.isHarmlessRow(at, end) === true)
        shown.pass(bytes, at, end);
      else this.#message(bytes, at, end, shown);
      at = end;
    }
  }

  /** Whether a message is one row of as many fields as were to be: as long as nothing in it is written otherwise than it is. */
  #hasItsFields(bytes: Buffer, at: number, end: number): boolean {
    const { layout } = this.#plan;
    if (layout.kind === "binary" || bytes[end - 1] !== NEWLINE) return false;
    let fields = 1;
    for (let i = at + MESSAGE_HEADER_BYTES; i < end - 1; i++) {
      const byte = bytes[i];
      if (byte === NEWLINE) return false;
      if (byte === layout.delimiter) fields++;
    }
    return this.#fields === undefined || fields === this.#fields;
  }

  #message(bytes: Buffer, at: number, end: number, shown: ShownBuilder): void {
    const data = bytes.subarray(at + MESSAGE_HEADER_BYTES, end);
    const rows = this.#splitter.push(data);
    if (rows.bytes.length === 0) return;
    if (rows.bytes === data) shown.put(bytes, at, end, (view) => this.#rewritten(rows, view));
    else this.#put(rows, shown);
  }

  /** No more comes: a last row may have no end. */
  end(shown: ShownBuilder): void {
    const left = this.#splitter.end();
    if (left.length > 0) this.#put({ bytes: left, from: 0 }, shown);
  }

  #put(rows: CopyRows, shown: ShownBuilder): void {
    const copied = message("d", rows.bytes);
    shown.put(copied, 0, copied.length, (view) => this.#rewritten(rows, view));
  }

  #rewritten(rows: CopyRows, view: MaskView): Buffer | undefined {
    return rewriteCopy(rows, this.#plan.layout, this.#plan.rows, view);
  }
}

/** Whether a search tells of all values of a row at once: no rule masks one, and none hides what it holds. */
function isSearchedWhole({ rows }: CopyPlan, { masking }: MaskView): boolean {
  return !rows.masks && [...rows.columns, rows.rest].every(({ type, format }) => masking.isSearched(type, format));
}

function specialBytes(layout: CopyLayout): readonly number[] | undefined {
  if (layout.kind === "binary") return undefined;
  return layout.kind === "text" ? [BACKSLASH] : [layout.quote, layout.escape];
}

/** A look at rows from a stretch of messages, in their order. */
class Look {
  readonly #bytes: Buffer;
  readonly #search: Search;
  readonly #special: readonly number[];
  /** Where each special byte is next. */
  readonly #next: number[];

  constructor(bytes: Buffer, from: number, search: Search, special: readonly number[]) {
    this.#bytes = bytes;
    this.#search = search;
    this.#special = special;
    this.#next = special.map(() => from - 1);
  }

  /** Whether the message at [at, end) is whole rows of values that are written as they are, and that nothing is found in. */
  isHarmlessRow(at: number, end: number): boolean {
    const start = at + MESSAGE_HEADER_BYTES;
    for (let n = 0; n < this.#special.length; n++) {
      let next = this.#next[n] as number;
      if (next < start) {
        const found = this.#bytes.indexOf(this.#special[n] as number, start);
        this.#next[n] = next = found < 0 ? Infinity : found;
      }
      if (next < end) return false;
    }
    return !this.#search.mayHold(start, end);
  }
}
