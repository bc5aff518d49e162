import type { MaskRule } from "../../../core/masking/masking.ts";
import type { StatementTaint } from "../../../core/masking/taint.ts";
import { whole, type Outputs } from "../../../core/masking/tainted.ts";
import { stringEnd } from "../../../core/wire-text.ts";
import { UNRESOLVED, type CatalogSnapshot } from "./catalog-snapshot.ts";

/** What RowDescription says of a column (PostgreSQL 18 §54.7). */
export interface RowField {
  readonly table: number;
  /** 0 for what is no column, or a whole row; negative for system columns. */
  readonly attribute: number;
  readonly type: number;
  readonly format: 0 | 1;
}

export interface ColumnPlan {
  readonly rule: MaskRule | undefined;
  /** OID of its type, or of the built-in one that it is like; 0 where nothing is known of it. */
  readonly type: number;
  readonly format: 0 | 1;
}

/** What happens to the values of a result's rows. */
export interface RowPlan {
  readonly columns: readonly ColumnPlan[];
  /** For values beyond `columns`: none where their number is as described. */
  readonly rest: ColumnPlan;
  /** Whether any rule is in it. */
  readonly masks: boolean;
}

/** Table OID, attribute number, type OID, type length, type modifier, format. */
const TAIL_BYTES = 18;

/** The fields of a RowDescription; undefined where its body is not well-formed. */
export function rowFields(bytes: Buffer, start: number, end: number): readonly RowField[] | undefined {
  const count = end - start >= 2 ? bytes.readUInt16BE(start) : 0;
  const fields: RowField[] = [];
  for (let at = start + 2; fields.length < count;) {
    const nameEnd = stringEnd(bytes, at, end);
    at = nameEnd + 1 + TAIL_BYTES;
    if (at > end) return undefined;
    fields.push({
      table: bytes.readUInt32BE(nameEnd + 1),
      attribute: bytes.readInt16BE(nameEnd + 5),
      type: bytes.readUInt32BE(nameEnd + 7),
      format: bytes.readUInt16BE(nameEnd + 17) === 1 ? 1 : 0,
    });
  }
  return fields;
}

/** Nothing is masked but what detectors find. */
export function unmaskedPlan(fields: readonly RowField[], formats?: readonly number[]): RowPlan {
  const columns = fields.map(({ type, format }, n) => ({
    rule: undefined,
    type,
    format: formats === undefined ? format : formatOf(formats, n),
  }));
  return { columns, rest: restOf(undefined, formats), masks: false };
}

/**
 * The plan of a described result: a column that has an origin by that, any other by what the statement's text says of it.
 * @param taint   asked only where a column has no origin
 * @param formats of Bind, where the description came before it and could not know them
 */
export function describedPlan(
  fields: readonly RowField[],
  snapshot: CatalogSnapshot,
  taint: () => StatementTaint,
  formats?: readonly number[],
): RowPlan {
  const columns = fields.map((field, n): ColumnPlan => {
    const format = formats === undefined ? field.format : formatOf(formats, n);
    return { rule: ruleOf(field, n, fields.length, snapshot, taint), type: snapshot.typeLike(field.type), format };
  });
  return { columns, rest: restOf(UNRESOLVED, formats), masks: columns.some(({ rule }) => rule !== undefined) };
}

function ruleOf(
  { table, attribute }: RowField,
  index: number,
  width: number,
  snapshot: CatalogSnapshot,
  taint: () => StatementTaint,
): MaskRule | undefined {
  if (table !== 0 && attribute > 0) return snapshot.originRule(table, attribute);
  if (attribute < 0) return undefined;
  const { outputs, touched } = taint();
  if (outputs.columns === undefined) return outputs.rule;
  // Where the text yields another number of columns it was not understood.
  return outputs.columns.length === width ? whole(outputs.columns[index]?.rule) : touched;
}

/** The plan of a result that was never described: by the text alone, types included. */
export function undescribedPlan(
  { outputs }: StatementTaint,
  snapshot: CatalogSnapshot,
  formats: readonly number[],
): RowPlan {
  const columns = (outputs.columns ?? []).map(({ rule, type }, n) => ({
    rule,
    type: snapshot.typeLike(type),
    format: formatOf(formats, n),
  }));
  const rest = restOf(outputs.columns === undefined ? outputs.rule : UNRESOLVED, formats);
  return { columns, rest, masks: outputs.rule !== undefined };
}

/** The plan of what COPY moves, which no message describes. Without a catalog nothing is known but its format. */
export function copiedPlan({ columns, rule }: Outputs, snapshot: CatalogSnapshot | undefined, format: 0 | 1): RowPlan {
  if (snapshot === undefined) return { columns: [], rest: restOf(undefined, [format]), masks: false };
  const planned = (columns ?? []).map((column) => ({
    rule: column.rule,
    type: snapshot.typeLike(column.type),
    format,
  }));
  const rest = restOf(columns === undefined ? rule : UNRESOLVED, [format]);
  return { columns: planned, rest, masks: rule !== undefined };
}

function restOf(rule: MaskRule | undefined, formats: readonly number[] = []): ColumnPlan {
  return { rule, type: 0, format: formats[0] === 1 ? 1 : 0 };
}

/** None: all text; one: all the same (§54.7 Bind). */
function formatOf(formats: readonly number[], index: number): 0 | 1 {
  const format = formats.length === 1 ? formats[0] : formats[index];
  return format === 1 ? 1 : 0;
}
