import { SallyportError } from "../../../core/errors.ts";
import type { Search } from "../../../core/masking/masking.ts";
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
    const of = ({ rule, type, format }: ColumnPlan): SearchedColumn => ({
      rule: rule === undefined || view.applies(rule) ? rule : undefined,
      type,
      format,
      isSearched: view.masking.isSearched(type, format),
    });
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
    let grown = 0;
    let header = -1;
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
      const value = bytes.subarray(start, field);
      const masked = this.#masked(value, column);
      if (masked === value) continue;
      if (header < 0) header = this.#headerAt(at, end);
      this.#replace(start, field, masked);
      grown += (masked?.length ?? 0) - size;
    }
    if (count === seen && field !== end) throw malformed();
    if (header >= 0) this.#slab?.setWord(length + grown, header + 1);
    return end;
  }

  /** Everything, changed; undefined if nothing was. */
  end(): Buffer | undefined {
    this.#slab?.add(this.#bytes, this.#copied, this.#to);
    return this.#slab?.bytes;
  }

  /** Whether to look at the value at [start, end), which no rule masks. */
  #looksAt({ isSearched }: SearchedColumn, start: number, end: number): boolean {
    return this.#search !== undefined && (!isSearched || this.#search.mayHold(start, end));
  }

  #masked(value: Buffer, { rule, type, format }: ColumnPlan): Buffer | undefined {
    const { masking, count } = this.#view;
    if (rule === undefined) return masking.detectInValue(value, type, format, count);
    count(rule);
    return masking.maskValue(rule, value, type, format);
  }

  /** Where in the slab the header of the row at `at` will be: what stands before its first change is copied in one piece. */
  #headerAt(at: number, end: number): number {
    const slab = (this.#slab ??= new Slab(this.#bytes.length - this.#copied + (end - at) + GROWTH_BYTES));
    return slab.length + at - this.#copied;
  }

  #replace(start: number, end: number, masked: Buffer | undefined): void {
    const slab = this.#slab as Slab;
    slab.add(this.#bytes, this.#copied, start - 4);
    slab.word(masked?.length ?? -1);
    if (masked !== undefined) slab.add(masked, 0, masked.length);
    this.#copied = end;
  }
}

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
