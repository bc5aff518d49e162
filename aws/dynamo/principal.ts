import type { Principal } from "../../core/identity/principal.ts";
import type { Item } from "./expressions.ts";

/** A principal as items keep it. */
export function principalItem({ kind, id, name, groups, actors }: Principal): Item {
  return { kind, id, name, groups: [...groups], actors: actors && [...actors] };
}

export function principalOf(item: unknown): Principal {
  const { kind, id, name, groups, actors } = item as Principal;
  return { kind, id, name, groups, ...(actors !== undefined && { actors }) };
}
