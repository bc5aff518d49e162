import type { Principal } from "../identity/principal.ts";
import { boundedMap } from "./bounded-map.ts";
import type { CedarAsk } from "./cedar-engine.ts";
import type { StatementFacts } from "./facts.ts";
import type { Finding } from "./strictest.ts";
import type { Ask, Verdict } from "./verdict.ts";

export interface Judged {
  readonly finding: Finding;
  readonly verdict: Verdict;
}

/** One principal on one connection: what verdicts of it depend on, and those there are. */
export interface Scope {
  readonly ask: CedarAsk;
  /** Distinguishes it in keys of the cache of verdicts. */
  readonly serial: number;
  /** By identity: a statement that comes again has the same facts. */
  byFacts: WeakMap<StatementFacts, Judged>;
  /** The hour that `byFacts` is of. */
  hour: number;
}

/** As many as there are people at work at a time; whoever comes back later is looked up anew. */
const MAX_SCOPES = 4_096;

/** Finds a scope: by identity of the ask's own objects where they are the same ones again, else by what they say. */
export function scopes(): (ask: Ask) => Scope {
  const byText = boundedMap<string, Scope>(MAX_SCOPES);
  const byPrincipal = new WeakMap<Principal, WeakMap<Ask["connection"], Scope>>();
  let serial = 0;
  const find = (ask: Ask): Scope => {
    const { principal, connection } = ask;
    const key = JSON.stringify([
      principal.kind,
      principal.id,
      principal.groups,
      principal.actors ?? [],
      connection.name,
      connection.environment,
    ]);
    const known = byText.get(key);
    if (known !== undefined) return known;
    const made = { ask: cedarAsk(ask), serial: ++serial, byFacts: new WeakMap<StatementFacts, Judged>(), hour: 0 };
    byText.set(key, made);
    return made;
  };
  return (ask) => {
    let byConnection = byPrincipal.get(ask.principal);
    if (byConnection === undefined) byPrincipal.set(ask.principal, (byConnection = new WeakMap()));
    let scope = byConnection.get(ask.connection);
    if (scope === undefined) byConnection.set(ask.connection, (scope = find(ask)));
    return scope;
  };
}

function cedarAsk({ principal, connection }: Ask): CedarAsk {
  const who = { type: principal.kind === "service" ? "Service" : "User", id: principal.id };
  const where = { type: "Connection", id: connection.name };
  const groups = [...new Set(principal.groups)].map((id) => ({ type: "Group", id }));
  const environment = { type: "Environment", id: connection.environment };
  return {
    principal: who,
    resource: where,
    entities: [
      { uid: who, attrs: { actors: [...(principal.actors ?? [])] }, parents: groups },
      { uid: where, attrs: {}, parents: [environment] },
    ],
  };
}
