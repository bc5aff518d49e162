import type { A_Expr, Node, RangeVar } from "@pgsql/types";
import { as, relationName, strings } from "./tree.ts";

/**
 * Whether a WHERE clause picks rows: false where there is none, and where its truth does not depend on the row, as far as its
 * text tells: constants, parameters, `x = x`, and whatever mentions no column of the target.
 */
export function isBounded(where: Node | undefined, target: RangeVar | undefined): boolean {
  if (where === undefined) return false;
  const logic = as(where, "BoolExpr");
  if (logic !== undefined) {
    const bounded = (logic.args ?? []).map((arg) => isBounded(arg, target));
    return logic.boolop === "OR_EXPR" ? bounded.every(Boolean) : bounded.some(Boolean);
  }
  if ("CurrentOfExpr" in where) return true;
  const compared = as(where, "A_Expr");
  if (compared !== undefined && isTrivial(compared)) return false;
  return mentions(where, namesOf(target));
}

function namesOf(target: RangeVar | undefined): ReadonlySet<string> {
  const names = new Set<string>();
  if (target?.relname !== undefined) names.add(target.alias?.aliasname ?? target.relname).add(relationName(target));
  return names;
}

/** Any column that may be one of the target's: bare, or qualified by its name. */
function mentions(value: unknown, owners: ReadonlySet<string>): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (Array.isArray(value)) return value.some((item) => mentions(item, owners));
  const column = as(value as Node, "ColumnRef");
  if (column === undefined) return Object.values(value).some((item) => mentions(item, owners));
  const path = strings(column.fields);
  return path.length === 1 || owners.has(path.slice(0, -1).join(".")) || owners.has(path.at(-2) ?? "");
}

/** `x = x`, `x in (1, x)`. */
function isTrivial({ kind, lexpr, rexpr }: A_Expr): boolean {
  if (lexpr === undefined || rexpr === undefined) return false;
  const others = kind === "AEXPR_IN" ? (as(rexpr, "List")?.items ?? []) : [rexpr];
  // A constant on one side is the common case, and never what a column is.
  const candidates = others.filter((other) => !("A_Const" in other));
  if (candidates.length === 0) return false;
  const left = shape(lexpr);
  return candidates.some((other) => shape(other) === left);
}

function shape(value: unknown): string {
  return JSON.stringify(value, (key, inner: unknown) => (key === "location" ? undefined : inner));
}
