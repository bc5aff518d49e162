import type { PolicyJson } from "@cedar-policy/cedar-wasm/nodejs";

/** What a policy looks at in the context. */
export interface ContextUse {
  readonly attributes: ReadonlySet<string>;
  /** The context as one value: what is looked at in it cannot be told. */
  readonly whole: boolean;
}

export function contextUse({ conditions }: PolicyJson): ContextUse {
  const attributes = new Set<string>();
  let whole = false;
  visit(conditions);
  return { attributes, whole };

  /** Cedar's JSON of an expression: `context.x` is `{".": {left: {Var: "context"}, attr: "x"}}`, and `has` is alike. */
  function visit(node: unknown): void {
    if (Array.isArray(node)) return node.forEach(visit);
    if (!isRecord(node)) return;
    if (node["Var"] === "context") whole = true;
    for (const [key, child] of Object.entries(node)) {
      // A literal's own text is no expression.
      if (key === "Value") continue;
      if ((key === "." || key === "has") && isRecord(child) && isContext(child["left"]))
        for (const name of [child["attr"]].flat()) attributes.add(String(name));
      else visit(child);
    }
  }
}

function isContext(node: unknown): boolean {
  return isRecord(node) && node["Var"] === "context";
}

function isRecord(node: unknown): node is Record<string, unknown> {
  return typeof node === "object" && node !== null;
}
