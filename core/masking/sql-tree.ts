/** PostgreSQL's parse tree as libpg-query tells it: an object of one key, the node's type, wherever any node may stand. */
export type Tree = Readonly<Record<string, unknown>>;

export function isTree(value: unknown): value is Tree {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The node's type and its fields; undefined for what is no node. */
export function unwrap(value: unknown): { readonly type: string; readonly node: Tree } | undefined {
  if (!isTree(value)) return undefined;
  const [type] = Object.keys(value);
  const node = type === undefined ? undefined : value[type];
  return type !== undefined && isTree(node) ? { type, node } : undefined;
}

export function treeOf(value: unknown): Tree | undefined {
  return isTree(value) ? value : undefined;
}

export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

export function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

/** The text of a String node. */
export function stringOf(value: unknown): string | undefined {
  const unwrapped = unwrap(value);
  return unwrapped?.type === "String" ? (textOf(unwrapped.node["sval"]) ?? "") : undefined;
}

/** The texts of a list of String nodes: names, qualified. */
export function namesOf(value: unknown): string[] {
  return listOf(value).flatMap((item) => stringOf(item) ?? []);
}

/** Calls `visit` for every object in the tree, parents first. */
export function walk(value: unknown, visit: (tree: Tree) => void): void {
  if (Array.isArray(value)) for (const item of value) walk(item, visit);
  else if (isTree(value)) {
    visit(value);
    for (const key in value) walk(value[key], visit);
  }
}
