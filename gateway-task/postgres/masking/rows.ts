import { SallyportError } from "../../../core/errors.ts";
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
  const detects = looks(bytes, from, to, plan, view);
  if (!plan.masks && !detects) return undefined;
  const rewriter = new RowRewriter(bytes, from, plan, view, detects);
  for (let at = from; at < to;) at = rewriter.row(at, to);
  return rewriter.end(to);
}

function looks(bytes: Buffer, from: number, to: number, plan: RowPlan, { masking }: MaskView): boolean {
  if (!masking.hasDetectors) return false;
  if (plan.columns.some(({ rule, type, format }) => rule === undefined && masking.alwaysLook(type, format)))
    return true;
  return masking.mayContain(bytes, from, to);
}

class RowRewriter {
  readonly #bytes: Buffer;
  readonly #columns: readonly ColumnPlan[];
  readonly #rest: ColumnPlan;
  readonly #view: MaskView;
  readonly #detects: boolean;
  /** How many columns of a row have to be looked at: all up to the last that is masked. */
  readonly #seen: number;
  #slab: Slab | undefined;
  /** What stands before it is in the slab. */
  #copied: number;

  constructor(bytes: Buffer, from: number, plan: RowPlan, view: MaskView, detects: boolean) {
    this.#bytes = bytes;
    this.#copied = from;
    const of = (column: ColumnPlan): ColumnPlan =>
      column.rule === undefined || view.applies(column.rule) ? column : { ...column, rule: undefined };
    this.#columns = plan.columns.map(of);
    this.#rest = of(plan.rest);
    this.#view = view;
    this.#detects = detects;
    this.#seen = detects ? Infinity : this.#columns.findLastIndex(({ rule }) => rule !== undefined) + 1;
  }

  /** The row at `at`; answers the offset behind it. */
  row(at: number, to: number): number {
    const bytes = this.#bytes;
    const length = wordAt(bytes, at + 1);
    const end = at + 1 + length;
    if (end > to || length < ROW_HEADER_BYTES - 1) throw malformed();
    const count = bytes.readUInt16BE(at + 5);
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
      const column = this.#columns[n] ?? this.#rest;
      if (size < 0 || (column.rule === undefined && !this.#detects)) continue;
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

  /** Everything up to `to`, changed; undefined if nothing was. */
  end(to: number): Buffer | undefined {
    this.#slab?.add(this.#bytes, this.#copied, to);
    return this.#slab?.bytes;
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
