import { SallyportError } from "../../../core/errors.ts";
import type { Search } from "../../../core/masking/masking.ts";
import type { WriteMask } from "../../../core/masking/text-styles.ts";
import type { ColumnPlan, RowPlan } from "./row-plan.ts";
import { Slab } from "./slab.ts";
import type { MaskView } from "./view.ts";

/** Tag, length word, number of columns. */
const ROW_HEADER_BYTES = 7;
/** Room beside what a chunk holds, for values that grow. */
const GROWTH_BYTES = 4 << 10;

/**
 * DataRow messages (PostgreSQL 18 §54.7), all complete, between two offsets, as a view of them may have them: undefined if
 * that is as they are.
 */
export function rewriteRows(
  bytes: Buffer,
  from: number,
  to: number,
  plan: RowPlan,
  view: MaskView,
): Buffer | undefined {
  const search = searchOf(bytes, from, to, plan, view);
  if (!plan.masks && search === undefined) return undefined;
  const rewriter = new RowRewriter(bytes, from, to, plan, view, search);
  for (let at = from; at < to;) at = rewriter.row(at);
  return rewriter.end();
}

/** What tells which values have to be looked at; undefined where none has. */
function searchOf(bytes: Buffer, from: number, to: number, plan: RowPlan, { masking }: MaskView): Search | undefined {
  if (!masking.hasDetectors) return undefined;
  const search = masking.search(bytes, from, to);
  if (plan.columns.some(({ rule, type, format }) => rule === undefined && masking.alwaysLook(type, format)))
    return search;
  return search.mayHold(from, to) ? search : undefined;
}

interface SearchedColumn extends ColumnPlan {
  /** Whether the search tells all of its values. */
  readonly isSearched: boolean;
  /** The shortest way to mask one of its values, where there is one. */
  readonly write: WriteMask | undefined;
}

class RowRewriter {
  readonly #bytes: Buffer;
  readonly #to: number;
  readonly #columns: readonly SearchedColumn[];
  readonly #rest: SearchedColumn;
  readonly #view: MaskView;
  readonly #search: Search | undefined;
  /** How many columns of a row have to be met: all up to the last that is masked. */
  readonly #seen: number;
  #slab: Slab | undefined;
  /** What stands before it is in the slab. */
  #copied: number;

  constructor(bytes: Buffer, from: number, to: number, plan: RowPlan, view: MaskView, search: Search | undefined) {
    this.#bytes = bytes;
    this.#to = to;
    this.#copied = from;
    const of = ({ rule: planned, type, format }: ColumnPlan): SearchedColumn => {
      const rule = planned === undefined || view.applies(planned) ? planned : undefined;
      const write = rule && view.masking.writerOf(rule, type);
      return { rule, type, format, isSearched: view.masking.isSearched(type, format), write };
    };
    this.#columns = plan.columns.map(of);
    this.#rest = of(plan.rest);
    this.#view = view;
    this.#search = search;
    this.#seen = search ? Infinity : this.#columns.findLastIndex(({ rule }) => rule !== undefined) + 1;
  }

  /** The row at `at`; answers the offset behind it. */
  row(at: number): number {
    const bytes = this.#bytes;
    const length = wordAt(bytes, at + 1);
    const end = at + 1 + length;
    if (end > this.#to || length < ROW_HEADER_BYTES - 1) throw malformed();
    const count = ((bytes[at + 5] as number) << 8) | (bytes[at + 6] as number);
    // Where in the slab the row will be: what stands before its first change is copied in one piece.
    const row = (this.#slab?.length ?? 0) + at - this.#copied;
    let grown = 0;
    let isChanged = false;
    let field = at + ROW_HEADER_BYTES;
    const seen = count === this.#columns.length ? Math.min(count, this.#seen) : count;
    for (let n = 0; n < seen; n++) {
      if (field + 4 > end) throw malformed();
      const size = wordAt(bytes, field);
      const start = field + 4;
      field = size > 0 ? start + size : start;
      if (field > end || size < -1) throw malformed();
      if (size < 0) continue;
      const column = this.#columns[n] ?? this.#rest;
      if (column.rule === undefined && !this.#looksAt(column, start, field)) continue;
      const now = this.#replace(column, start, field);
      if (now === UNCHANGED) continue;
      isChanged = true;
      grown += now - size;
    }
    if (count === seen && field !== end) throw malformed();
    if (isChanged) this.#slab?.setWord(length + grown, row + 1);
    return end;
  }

  /** Everything, changed; undefined if nothing was. */
  end(): Buffer | undefined {
    this.#slab?.add(this.#bytes, this.#copied, this.#to);
    return this.#slab?.bytes;
  }

  /** Whether to look at the value at [start, end), which no rule masks. */
  #looksAt({ isSearched }: SearchedColumn, start: number, end: number): boolean {
    return this.#search !== undefined && (!isSearched || this.#search.mayBeIn(start, end));
  }

  /** Masks the value at [start, end): answers how many bytes it has now, 0 for NULL too, or `UNCHANGED`. */
  #replace(column: SearchedColumn, start: number, end: number): number {
    if (column.rule !== undefined && column.write !== undefined) {
      const length = this.#slabTo(start).masked(column.write, this.#bytes, start, end);
      if (length >= 0) {
        this.#view.count(column.rule);
        this.#copied = end;
        return length;
      }
    }
    const value = this.#bytes.subarray(start, end);
    const masked = this.#masked(value, column);
    if (masked === value) return UNCHANGED;
    const slab = this.#slabTo(start);
    slab.word(masked?.length ?? -1);
    if (masked !== undefined) slab.add(masked, 0, masked.length);
    this.#copied = end;
    return masked?.length ?? 0;
  }

  /** The slab, with all that stands before the length of the value at `start`. */
  #slabTo(start: number): Slab {
    const slab = (this.#slab ??= new Slab(this.#bytes.length - this.#copied + GROWTH_BYTES));
    slab.add(this.#bytes, this.#copied, start - 4);
    this.#copied = start - 4;
    return slab;
  }

  #masked(value: Buffer, { rule, type, format }: ColumnPlan): Buffer | undefined {
    const { masking, count } = this.#view;
    if (rule === undefined) return masking.detectInValue(value, type, format, count);
    count(rule);
    return masking.maskValue(rule, value, type, format);
  }
}

const UNCHANGED = -1;

/** As `readInt32BE`, whose checks cost more than what it reads. */
function wordAt(bytes: Buffer, at: number): number {
  return (
    ((bytes[at] as number) << 24) |
    ((bytes[at + 1] as number) << 16) |
    ((bytes[at + 2] as number) << 8) |
    (bytes[at + 3] as number)
  );
}

function malformed(): SallyportError {
  return new SallyportError(
    "protocol-violation",
    "the target sent a row that is not well-formed, and cannot be masked",
  );
}
