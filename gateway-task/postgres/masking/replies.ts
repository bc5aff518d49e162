import type { Asked, Stated } from "./asked.ts";
import type { RowField } from "./row-plan.ts";

/** Unanswered messages that are followed; a client further ahead of its server is no longer understood. */
const MAX_OUTSTANDING = 250_000;
/** Texts of unanswered messages and of names, in characters; over it, new ones are taken for unknown. */
const MAX_TEXTS = 32 << 20;
/** Prepared statements and portals that are remembered, each; the oldest go first. */
const MAX_NAMES = 10_000;
const NOT_KNOWN: Stated = { text: undefined, index: 0, named: false };

/** What a name stands for, and what the server said of its rows. */
export interface Prepared {
  readonly stated: Stated;
  fields?: readonly RowField[] | undefined;
}

export interface Portal extends Prepared {
  readonly prepared: Prepared;
  /** Of its result columns, as Bind asked for them. */
  readonly formats: readonly number[];
}

/** Whose answers come now. */
export type Answering =
  | { readonly kind: "query"; readonly stated: Stated }
  /** A Parse or a Bind. */
  | { readonly kind: "prepare"; readonly stated: Stated }
  | { readonly kind: "execute"; readonly portal: Portal }
  | { readonly kind: "describe-statement"; readonly prepared: Prepared }
  | { readonly kind: "describe-portal"; readonly portal: Portal }
  | { readonly kind: "call"; readonly oid: number }
  | { readonly kind: "unknown" };

const UNKNOWN: Answering = { kind: "unknown" };

/**
 * Which statement an answer belongs to (PostgreSQL 18 §54.2): simple queries, the extended protocol with pipelining, COPY,
 * names that SQL made. Where that cannot be told any more, everything is of an unknown statement from then on.
 */
export class Replies {
  #queue: Asked[] = [];
  #head = 0;
  readonly #statements = new Map<string, Prepared>();
  readonly #portals = new Map<string, Portal>();
  readonly #nameIn: (stated: Stated) => string | undefined;
  #queued = 0;
  #kept = 0;
  #skipping = false;
  #copyingIn = false;
  #lost = false;

  /** @param nameIn the name that a PREPARE or DECLARE gives; undefined where it cannot be told */
  constructor(nameIn: (stated: Stated) => string | undefined) {
    this.#nameIn = nameIn;
  }

  /** Takes what was sent to the server, in order. */
  ask(asked: Asked): void {
    if (this.#lost) return;
    if (this.#queue.length - this.#head >= MAX_OUTSTANDING) return this.lose();
    if (asked.kind === "sync") {
      // While it takes a COPY's data the server ignores Sync (CopyGetData in copyfromparse.c).
      if (this.#copyingIn) return;
      this.#skipping = false;
    } else if (asked.kind === "copy-end" && this.#copyingIn) {
      this.#copyingIn = false;
      return;
    } else if (this.#skipping) return;
    this.#queue.push(this.#affordable(asked));
  }

  lose(): void {
    this.#lost = true;
    this.#queue = [];
    this.#head = 0;
    this.#forget();
  }

  answering(): Answering {
    const head = this.#peek();
    switch (head?.kind) {
      case "query":
      case "call":
        return head;
      case "parse":
        return { kind: "prepare", stated: head.stated };
      case "bind":
        return { kind: "prepare", stated: this.statement(head.statement).stated };
      case "execute":
        return { kind: "execute", portal: this.portal(head.portal) };
      case "describe-statement":
        return { kind: "describe-statement", prepared: this.statement(head.name) };
      case "describe-portal":
        return { kind: "describe-portal", portal: this.portal(head.name) };
      case "close":
      case "sync":
      case "copy-end":
      case undefined:
        return UNKNOWN;
    }
  }

  /** What a name stands for, in SQL as in the protocol; something unknown where that was not seen. */
  statement(name: string): Prepared {
    return this.#statements.get(name) ?? { stated: NOT_KNOWN };
  }

  portal(name: string): Portal {
    return this.#portals.get(name) ?? this.unknownPortal;
  }

  get unknownPortal(): Portal {
    return { stated: NOT_KNOWN, prepared: { stated: NOT_KNOWN }, formats: [] };
  }

  // What the server answers.

  parsed(): void {
    const head = this.#take("parse");
    if (head !== undefined) this.#name(this.#statements, head.name, { stated: head.stated });
  }

  bound(): void {
    const head = this.#take("bind");
    if (head === undefined) return;
    const prepared = this.statement(head.statement);
    this.#name(this.#portals, head.portal, { stated: prepared.stated, prepared, formats: head.formats });
  }

  closed(): void {
    this.#take("close");
  }

  /** RowDescription or NoData. */
  described(fields: readonly RowField[] | undefined): void {
    const answering = this.answering();
    if (answering.kind === "describe-statement") answering.prepared.fields = fields;
    else if (answering.kind === "describe-portal") answering.portal.fields = fields;
    else return;
    this.#head++;
  }

  /** CommandComplete, EmptyQueryResponse or PortalSuspended. */
  ended(tag: string): void {
    this.#copyingIn = false;
    const head = this.#peek();
    if (head?.kind === "query" || head?.kind === "execute") {
      const stated = head.kind === "query" ? head.stated : this.portal(head.portal).stated;
      this.#named(tag, stated);
      if (head.kind === "query") head.stated = { ...head.stated, index: head.stated.index + 1 };
      else this.#head++;
    } else if (head?.kind !== "call") this.lose();
  }

  copyIn(): void {
    const head = this.#peek();
    if (head?.kind !== "query" && head?.kind !== "execute") return;
    let next = this.#head + 1;
    while (this.#queue[next]?.kind === "sync") next++;
    const ended = this.#queue[next]?.kind === "copy-end";
    this.#queue.splice(this.#head + 1, next - this.#head - (ended ? 0 : 1));
    this.#copyingIn = !ended;
  }

  /** ErrorResponse: in the extended protocol all up to the next Sync is skipped (§54.2.3). */
  failed(): void {
    this.#copyingIn = false;
    const head = this.#peek();
    if (head === undefined || head.kind === "query" || head.kind === "call" || head.kind === "sync") return;
    while (this.#head < this.#queue.length && this.#queue[this.#head]?.kind !== "sync") this.#head++;
    this.#skipping = this.#head === this.#queue.length;
  }

  /** ReadyForQuery. */
  ready(): void {
    this.#copyingIn = false;
    while (this.#head < this.#queue.length) {
      const kind = this.#queue[this.#head++]?.kind;
      if (kind === "sync" || kind === "query" || kind === "call") break;
    }
    if (this.#head === this.#queue.length) {
      this.#queue = [];
      this.#head = 0;
      this.#queued = 0;
    } else if (this.#head >= 1024) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
  }

  #peek(): Asked | undefined {
    while (this.#queue[this.#head]?.kind === "copy-end") this.#head++;
    return this.#queue[this.#head];
  }

  #take<K extends Asked["kind"]>(kind: K): Extract<Asked, { kind: K }> | undefined {
    const head = this.#peek();
    if (head?.kind === kind) {
      this.#head++;
      return head as Extract<Asked, { kind: K }>;
    }
    this.lose();
    return undefined;
  }

  /** PREPARE and DECLARE give names; what DO and CALL do to names is not seen. */
  #named(tag: string, stated: Stated): void {
    const declares = tag === "DECLARE CURSOR";
    if (!declares && tag !== "PREPARE" && tag !== "DO" && tag !== "CALL") return;
    const name = declares || tag === "PREPARE" ? this.#nameIn(stated) : undefined;
    if (name === undefined) return this.#forget();
    const prepared: Prepared = { stated: { ...stated, named: true } };
    if (declares) this.#name(this.#portals, name, { ...prepared, prepared, formats: [] });
    else this.#name(this.#statements, name, prepared);
  }

  #name<T extends Prepared>(names: Map<string, T>, name: string, meant: T): void {
    this.#kept += lengthOf(meant.stated) - lengthOf(names.get(name)?.stated);
    names.delete(name);
    names.set(name, meant);
    for (const [oldest, { stated }] of names) {
      if (names.size <= MAX_NAMES && this.#kept <= MAX_TEXTS) break;
      this.#kept -= lengthOf(stated);
      names.delete(oldest);
    }
  }

  #forget(): void {
    this.#statements.clear();
    this.#portals.clear();
    this.#kept = 0;
  }

  #affordable(asked: Asked): Asked {
    if (asked.kind !== "query" && asked.kind !== "parse") return asked;
    this.#queued += lengthOf(asked.stated);
    return this.#queued <= MAX_TEXTS ? asked : { ...asked, stated: NOT_KNOWN };
  }
}

function lengthOf(stated: Stated | undefined): number {
  return stated?.text?.length ?? 0;
}
