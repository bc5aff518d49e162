import type { Principal } from "../../core/identity/principal.ts";
import type { Item } from "./expressions.ts";

/** A principal as items keep it. */
export function principalItem({ kind, id, name, groups, actors, actorNames }: Principal): Item {
  const through = { actors: actors && [...actors], actorNames: actorNames && [...actorNames] };
  return { kind, id, name, groups: [...groups], ...through };
}

export function principalOf(item: unknown): Principal {
  const { kind, id, name, groups, actors, actorNames } = item as Principal;
  const through = { ...(actors !== undefined && { actors }), ...(actorNames !== undefined && { actorNames }) };
  return { kind, id, name, groups, ...through };
}
