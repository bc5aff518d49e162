import type { Node, RangeVar } from "@pgsql/types";

type TagOf<N> = N extends unknown ? keyof N : never;
/** The name of a kind of node, such as `SelectStmt`. */
export type Tag = TagOf<Node>;
type BodyOf<N, T extends Tag> = N extends Record<T, infer B> ? B : never;
export type Body<T extends Tag> = BodyOf<Node, T>;
type Nodes = readonly Node[] | undefined;

/** A node of this kind, or undefined. */
export function as<T extends Tag>(node: Node | undefined, tag: T): Body<T> | undefined {
  return node !== undefined && tag in node ? (node as Record<T, Body<T>>)[tag] : undefined;
}

/** The names that a list of String nodes, or a List of them, stands for; `*` is one of them. */
export function strings(nodes: Nodes): string[] {
  const names: string[] = [];
  for (const node of nodes ?? []) {
    const text = as(node, "String");
    if (text !== undefined) names.push(text.sval ?? "");
    else if ("A_Star" in node) names.push("*");
    else names.push(...strings(as(node, "List")?.items));
  }
  return names;
}

/** `schema.name`; what is in `pg_catalog` is called by its bare name, which means it anyhow, and a database's name says nothing. */
export function dotted(names: readonly string[]): string {
  const last = names.slice(-2);
  return (last[0] === "pg_catalog" ? last.slice(1) : last).join(".");
}

export function relationName(relation: RangeVar): string {
  const name = relation.relname ?? "";
  const schema = relation.schemaname;
  return schema === undefined || schema === "pg_catalog" ? name : `${schema}.${name}`;
}

/** The text of a string constant, also within casts and COLLATE; undefined where the value is not told. */
export function constantText(node: Node | undefined): string | undefined {
  for (let at = node; at !== undefined;) {
    const constant = as(at, "A_Const");
    if (constant !== undefined) return constant.sval === undefined ? undefined : (constant.sval.sval ?? "");
    at = as(at, "TypeCast")?.arg ?? as(at, "CollateClause")?.arg;
  }
  return undefined;
}
