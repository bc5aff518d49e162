import { SallyportError } from "../../../core/errors.ts";
import type { Search } from "../../../core/masking/masking.ts";
import { MESSAGE_HEADER_BYTES } from "../messages.ts";
import type { ColumnPlan, RowPlan } from "./row-plan.ts";
import { UNRESOLVED } from "./catalog-snapshot.ts";
import {
  BACKSLASH,
  fieldValue,
  rowEnd,
  rowFields,
  withoutLineEnd,
  writtenField,
  type CopyField,
} from "./copy-fields.ts";
import type { CopyLayout, TextLayout } from "./copy-layout.ts";
import type { MaskView } from "./view.ts";

const SIGNATURE = Buffer.from("PGCOPY\n\xff\r\n\0", "latin1");
/** Signature, flags, length of the header's extension. */
const BINARY_HEADER_BYTES = SIGNATURE.length + 8;
/** A row that is not complete after so many bytes is none that can be masked. */
const MAX_ROW_BYTES = 64 << 20;

/** Complete rows of a COPY's data, and what they begin with. */
export interface CopyRows {
  readonly bytes: Buffer;
  /** What stands before it is no row: a header. */
  readonly from: number;
}

/** Cuts the data of one COPY into complete rows, however it is cut into messages. */
export class CopySplitter {
  readonly #layout: CopyLayout;
  #carry: Buffer = EMPTY;
  #header: boolean;

  constructor(layout: CopyLayout) {
    this.#layout = layout;
    this.#header = layout.kind === "binary" || layout.header;
  }

  /** Whether what comes next begins a row. */
  get isBetweenRows(): boolean {
    return this.#carry.length === 0 && !this.#header;
  }

  /** The rows that are complete with these bytes; `bytes` is the identical Buffer where they are just these. */
  push(data: Buffer): CopyRows {
    const bytes = this.#carry.length === 0 ? data : Buffer.concat([this.#carry, data]);
    this.#carry = EMPTY;
    let from = 0;
    if (this.#header) {
      from = this.#headerEnd(bytes);
      if (from < 0) return this.#keep(bytes, 0, 0);
      this.#header = false;
    }
    let to = from;
    for (let end = to; end >= 0 && end <= bytes.length; end = to === bytes.length ? -1 : this.#rowEnd(bytes, to))
      to = end;
    return this.#keep(bytes, from, to);
  }

  /** What is left when there is no more: a last row without its end. */
  end(): Buffer {
    const left = this.#carry;
    this.#carry = EMPTY;
    return left;
  }

  #keep(bytes: Buffer, from: number, to: number): CopyRows {
    if (bytes.length - to > MAX_ROW_BYTES)
      throw new SallyportError("limit-exceeded", "a row of this COPY is too large to be masked");
    if (to === bytes.length) return { bytes, from };
    this.#carry = Buffer.from(bytes.subarray(to));
    return { bytes: bytes.subarray(0, to), from };
  }

  #rowEnd(bytes: Buffer, at: number): number {
    return this.#layout.kind === "binary" ? tupleEnd(bytes, at) : rowEnd(bytes, at, this.#layout);
  }

  #headerEnd(bytes: Buffer): number {
    if (this.#layout.kind !== "binary") return rowEnd(bytes, 0, this.#layout);
    if (bytes.length < BINARY_HEADER_BYTES) return -1;
    if (!bytes.subarray(0, SIGNATURE.length).equals(SIGNATURE)) throw malformed();
    const end = BINARY_HEADER_BYTES + bytes.readUInt32BE(BINARY_HEADER_BYTES - 4);
    return end <= bytes.length ? end : -1;
  }
}

/** Behind the tuple at `at`, or behind the trailer; -1 where it is not complete. */
function tupleEnd(bytes: Buffer, at: number): number {
  if (at + 2 > bytes.length) return -1;
  let end = at + 2;
  for (let left = bytes.readInt16BE(at); left > 0; left--) {
    if (end + 4 > bytes.length) return -1;
    const size = bytes.readInt32BE(end);
    if (size < -1) throw malformed();
    end += 4 + Math.max(size, 0);
  }
  return end <= bytes.length ? end : -1;
}

/** CopyData of complete rows as a view may have them; undefined if that is as they are. */
export function rewriteCopy(
  { bytes, from }: CopyRows,
  layout: CopyLayout,
  plan: RowPlan,
  view: MaskView,
): Buffer | undefined {
  const rewriter = new CopyRewriter(bytes, from, plan, view);
  for (let at = from; at < bytes.length;) at = layout.kind === "binary" ? rewriter.tuple(at) : rewriter.row(at, layout);
  return rewriter.end();
}

class CopyRewriter {
  readonly #bytes: Buffer;
  readonly #plan: RowPlan;
  readonly #view: MaskView;
  /** Undefined where there are no detectors. */
  readonly #search: Search | undefined;
  /** Where the next backslash is. */
  #escape = -1;
  /** What the message is made of, behind its header. */
  readonly #pieces: Buffer[] = [];
  #length = MESSAGE_HEADER_BYTES;
  #copied = 0;

  constructor(bytes: Buffer, from: number, plan: RowPlan, view: MaskView) {
    this.#bytes = bytes;
    this.#plan = plan;
    this.#view = view;
    this.#search = view.masking.hasDetectors ? view.masking.search(bytes, from, bytes.length) : undefined;
  }

  row(at: number, layout: TextLayout): number {
    const bytes = this.#bytes;
    const found = rowEnd(bytes, at, layout);
    const end = found < 0 ? bytes.length : found;
    const fields = rowFields(bytes, at, withoutLineEnd(bytes, at, end), layout);
    for (const [n, field] of fields.entries()) {
      const column = this.#column(n, fields.length);
      if (this.#isAsWritten(field, layout) && this.#isHarmless(column, field.start, field.end)) continue;
      const value = fieldValue(bytes, field, layout);
      if (value === undefined) continue;
      const masked = this.#masked(value, column);
      if (masked !== value) this.#replace(field.start, field.end, writtenField(masked, field.quoted, layout));
    }
    return end;
  }

  tuple(at: number): number {
    const bytes = this.#bytes;
    const end = tupleEnd(bytes, at);
    if (end < 0) throw malformed();
    const count = bytes.readInt16BE(at);
    let field = at + 2;
    for (let n = 0; n < count; n++) {
      const size = bytes.readInt32BE(field);
      const start = field + 4;
      field = start + Math.max(size, 0);
      const column = this.#column(n, count);
      if (size < 0 || this.#isHarmless(column, start, field)) continue;
      const value = bytes.subarray(start, field);
      const masked = this.#masked(value, column);
      if (masked === value) continue;
      const length = Buffer.alloc(4);
      length.writeInt32BE(masked?.length ?? -1);
      this.#replace(start - 4, field, masked === undefined ? length : Buffer.concat([length, masked]));
    }
    return end;
  }

  end(): Buffer | undefined {
    if (this.#pieces.length === 0) return undefined;
    this.#add(this.#bytes.subarray(this.#copied));
    const message = Buffer.allocUnsafe(this.#length);
    message[0] = COPY_DATA;
    message.writeUInt32BE(this.#length - 1, 1);
    let at = MESSAGE_HEADER_BYTES;
    for (const piece of this.#pieces) {
      message.set(piece, at);
      at += piece.length;
    }
    return message;
  }

  /** Where a row has another number of fields than it should, nobody knows which is which. */
  #column(index: number, width: number): ColumnPlan {
    const { columns, rest, masks } = this.#plan;
    if (columns.length === width) return columns[index] ?? rest;
    return masks && rest.rule === undefined ? { ...rest, rule: UNRESOLVED } : rest;
  }

  /** Whether a field that is not NULL is written as just the bytes of its value. */
  #isAsWritten({ start, end, quoted }: CopyField, layout: TextLayout): boolean {
    if (layout.kind === "csv") return !quoted;
    if (this.#escape < start) {
      const next = this.#bytes.indexOf(BACKSLASH, start);
      this.#escape = next < 0 ? Infinity : next;
    }
    return this.#escape >= end;
  }

  /** Whether the value at [start, end) stays as it is, which is seen without a look at it. */
  #isHarmless({ rule, type, format }: ColumnPlan, start: number, end: number): boolean {
    if (rule !== undefined && this.#view.applies(rule)) return false;
    if (this.#search === undefined) return true;
    return this.#view.masking.isSearched(type, format) && !this.#search.mayBeIn(start, end);
  }

  #masked(value: Buffer, { rule, type, format }: ColumnPlan): Buffer | undefined {
    const { masking, count } = this.#view;
    if (rule !== undefined && this.#view.applies(rule)) {
      count(rule);
      return masking.maskValue(rule, value, type, format);
    }
    return masking.hasDetectors ? masking.detectInValue(value, type, format, count) : value;
  }

  #replace(start: number, end: number, written: Buffer): void {
    this.#add(this.#bytes.subarray(this.#copied, start));
    this.#add(written);
    this.#copied = end;
  }

  #add(piece: Buffer): void {
    this.#pieces.push(piece);
    this.#length += piece.length;
  }
}

function malformed(): SallyportError {
  return new SallyportError("protocol-violation", "the target's COPY data is not well-formed, and cannot be masked");
}

const COPY_DATA = 0x64;
const EMPTY = Buffer.alloc(0);
