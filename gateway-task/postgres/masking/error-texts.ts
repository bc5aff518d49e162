import type { MaskRule } from "../../../core/masking/masking.ts";
import { message } from "../answers.ts";
import { MESSAGE_HEADER_BYTES } from "../messages.ts";
import type { MaskView } from "./view.ts";

/** A text that may quote a masked value is replaced by this. */
const MASKED = Buffer.from("[masked]");
/** Fields that are texts (PostgreSQL 18 §54.8): message, detail, hint, position's query, context. */
const TEXTS = new Set(["M", "D", "H", "q", "W"]);
/**
 * SQLSTATE classes whose messages name objects, settings and states, and no values of columns (Appendix A): connection,
 * feature, transactions, cursors, authorization, catalogs, syntax, resources, system.
 */
const NO_VALUES = /^(?:00|01|02|08|0A|0L|0P|25|26|28|2B|2D|34|3B|3D|3F|40|42|53|54|55|57|58|F0)/;
/** Texts that quote a row, whatever statement caused it. */
const QUOTES_ROW = /^(?:Key \(|Failing row contains)/;
/** Where RAISE sends its messages from: whatever a function made up (field R). */
const RAISED = "exec_stmt_raise";

interface Field {
  readonly code: string;
  readonly value: Buffer;
}

/** What is known of the statement that a message is about. */
export interface About {
  /** What masks its messages; undefined where it meets nothing masked. */
  readonly touched: MaskRule | undefined;
  /** What masks messages about a table: by its schema's and its own name. */
  readonly ofTable: (schema: string, table: string) => MaskRule | undefined;
}

/** An ErrorResponse or NoticeResponse, complete, as a view may have it; undefined if that is as it is. */
export function rewriteError(bytes: Buffer, { touched, ofTable }: About, view: MaskView): Buffer | undefined {
  const fields = fieldsOf(bytes);
  const text = (code: string): string => fields.find((field) => field.code === code)?.value.toString("utf8") ?? "";
  const table = text("t");
  const rowRule = touched ?? (table === "" ? undefined : ofTable(text("s"), table));
  let changed = false;
  const rewritten = fields.map((field) => {
    if (!TEXTS.has(field.code)) return field;
    const rule = quotes(field, touched, rowRule, text);
    const value = rule !== undefined && view.applies(rule) ? hidden(rule, view) : detected(field.value, view);
    changed ||= value !== field.value;
    return { code: field.code, value };
  });
  return changed ? encoded(bytes, rewritten) : undefined;
}

/** What masks a field; undefined if it quotes nothing that is masked. */
function quotes(
  { code, value }: Field,
  touched: MaskRule | undefined,
  rowRule: MaskRule | undefined,
  text: (code: string) => string,
): MaskRule | undefined {
  if (code === "D" && rowRule !== undefined && QUOTES_ROW.test(value.toString("latin1"))) return rowRule;
  if (touched === undefined) return undefined;
  // RAISE says what it likes, and so does SQL that a function put together.
  if (text("R") === RAISED || text("q") !== "") return touched;
  const sqlstate = text("C");
  if (NO_VALUES.test(sqlstate)) return undefined;
  if (code === "M") return sqlstate.startsWith("23") ? undefined : touched; // names the constraint
  return touched;
}

function hidden(rule: MaskRule, view: MaskView): Buffer {
  view.count(rule);
  return MASKED;
}

function detected(value: Buffer, { masking, count }: MaskView): Buffer {
  return masking.hasDetectors ? masking.detectInText(value, count) : value;
}

/** What is malformed ends with the field before the flaw. */
function fieldsOf(bytes: Buffer): Field[] {
  const fields: Field[] = [];
  for (let at = MESSAGE_HEADER_BYTES; at < bytes.length && bytes[at] !== 0;) {
    const end = bytes.indexOf(0, at + 1);
    if (end < 0) break;
    fields.push({ code: bytes.toString("latin1", at, at + 1), value: bytes.subarray(at + 1, end) });
    at = end + 1;
  }
  return fields;
}

function encoded(bytes: Buffer, fields: readonly Field[]): Buffer {
  const parts = fields.flatMap(({ code, value }) => [Buffer.from(code), value, NUL]);
  return message(bytes.toString("latin1", 0, 1), Buffer.concat([...parts, NUL]));
}

const NUL = Buffer.alloc(1);
