import type { Search } from "../../../core/masking/masking.ts";
import { message } from "../answers.ts";
import { MESSAGE_HEADER_BYTES } from "../messages.ts";
import { BACKSLASH, NEWLINE } from "./copy-fields.ts";
import type { TextLayout } from "./copy-layout.ts";
import { CopySplitter, rewriteCopy, type CopyRows } from "./copy-rows.ts";
import type { CopyPlan } from "./knowledge.ts";
import type { RowPlan } from "./row-plan.ts";
import type { ShownBuilder } from "./shown.ts";
import type { MaskView } from "./view.ts";

/** The data of one COPY as it goes by: CopyData messages of complete rows, as each view may have them. */
export class CopyStream {
  readonly #plan: CopyPlan;
  readonly #splitter: CopySplitter;
  /** Whose detectors are all that there are. */
  readonly #record: MaskView;
  /** Of rows that can be seen to be harmless as a whole; undefined where each is looked at value by value. */
  readonly #searched: TextLayout | undefined;

  constructor(plan: CopyPlan, record: MaskView) {
    this.#plan = plan;
    this.#splitter = new CopySplitter(plan.layout);
    this.#record = record;
    this.#searched = searchedLayout(plan, record);
  }

  /** CopyData messages, all complete, between two offsets. What the last leaves incomplete goes on with a later one. */
  push(bytes: Buffer, from: number, to: number, shown: ShownBuilder): void {
    const { rows } = this.#plan;
    const look =
      this.#searched && new Look(bytes, from, this.#record.masking.search(bytes, from, to), this.#searched, rows);
    for (let at = from; at < to;) {
      const end = at + 1 + bytes.readUInt32BE(at + 1);
      // PostgreSQL sends a row a message.
      if (look !== undefined && this.#splitter.isBetweenRows && look.isHarmlessRow(at, end)) shown.pass(bytes, at, end);
      else this.#message(bytes, at, end, shown);
      at = end;
    }
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

/** A layout in which a search tells of all values of a row at once: no rule masks one, and none hides what it holds. */
function searchedLayout({ rows, layout }: CopyPlan, { masking }: MaskView): TextLayout | undefined {
  const isSearched = [...rows.columns, rows.rest].every(({ type, format }) => masking.isSearched(type, format));
  return layout.kind === "binary" || rows.masks || !isSearched ? undefined : layout;
}

/** A look at rows from a stretch of messages, in their order. */
class Look {
  readonly #bytes: Buffer;
  readonly #search: Search;
  readonly #delimiter: number;
  /** What a value that is written as it is does not hold, and where each of these bytes is next. */
  readonly #special: readonly number[];
  readonly #next: number[];
  readonly #rows: RowPlan;

  constructor(bytes: Buffer, from: number, search: Search, layout: TextLayout, rows: RowPlan) {
    this.#bytes = bytes;
    this.#search = search;
    this.#delimiter = layout.delimiter;
    this.#special = layout.kind === "text" ? [BACKSLASH] : [layout.quote, layout.escape];
    this.#next = this.#special.map(() => from - 1);
    this.#rows = rows;
  }

  /** Whether the message at [at, end) is one row of values that are written as they are, and that nothing is found in. */
  isHarmlessRow(at: number, end: number): boolean {
    const start = at + MESSAGE_HEADER_BYTES;
    return this.#isPlain(start, end) && !this.#search.mayHold(start, end) && this.#isUnderstood(start, end);
  }

  #isPlain(start: number, end: number): boolean {
    for (let n = 0; n < this.#special.length; n++) {
      let next = this.#next[n] as number;
      if (next < start) {
        const found = this.#bytes.indexOf(this.#special[n] as number, start);
        this.#next[n] = next = found < 0 ? Infinity : found;
      }
      if (next < end) return false;
    }
    return true;
  }

  /** Whether it is one row, and of no other number of fields than is known of: in such a one nobody knows which is which. */
  #isUnderstood(start: number, end: number): boolean {
    const { columns, rest } = this.#rows;
    if (this.#bytes[end - 1] !== NEWLINE) return false;
    let fields = 1;
    for (let at = start; at < end - 1; at++) {
      const byte = this.#bytes[at];
      if (byte === NEWLINE) return false;
      if (byte === this.#delimiter) fields++;
    }
    return rest.rule === undefined || fields === columns.length;
  }
}
