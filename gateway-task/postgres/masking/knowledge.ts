import { statementTaint, unknownTaint, type StatementTaint } from "../../../core/masking/taint.ts";
import { joined, type TaintCatalog, type TaintedColumn } from "../../../core/masking/tainted.ts";
import type { MaskRule } from "../../../core/masking/masking.ts";
import { parseSql } from "../../../core/policy/sql-parser.ts";
import type { Stated } from "./asked.ts";
import type { Catalog } from "./catalog.ts";
import type { CatalogRows } from "./catalog-rows.ts";
import { UNRESOLVED, type CatalogSnapshot } from "./catalog-snapshot.ts";
import { copyLayout, type CopyLayout } from "./copy-layout.ts";
import type { Answering, Portal, Replies } from "./replies.ts";
import { copiedPlan, describedPlan, undescribedPlan, unmaskedPlan, type RowField, type RowPlan } from "./row-plan.ts";

/** How a COPY's rows are laid out, and what happens to their values. */
export interface CopyPlan {
  readonly layout: CopyLayout;
  readonly rows: RowPlan;
}

/** Where no column has a rule: nothing is looked up. */
const NO_RULES: TaintCatalog = { relations: () => [[]], functionRule: () => undefined, unknown: UNRESOLVED };

/**
 * What a session knows of its target: which of its results are masked. Where something has to be asked first, methods answer
 * a promise; called again when it has resolved they answer what there is.
 */
export class Knowledge {
  readonly #catalog: Catalog | undefined;
  readonly #ask: () => Promise<CatalogRows>;
  readonly #replies: Replies;
  /** Used as long as nothing better can be had: a session never goes on with less than it knew before. */
  #snapshot: CatalogSnapshot | undefined;
  /** What is being looked at was looked up again, in vain. */
  #asked = false;

  /** @param catalog undefined where there are no rules for columns */
  constructor(catalog: Catalog | undefined, ask: () => Promise<CatalogRows>, replies: Replies) {
    this.#catalog = catalog;
    this.#ask = ask;
    this.#replies = replies;
  }

  /** The next message is looked at. */
  next(): void {
    this.#asked = false;
  }

  /** Whether there is a catalog to go by; a promise to wait for if it has to be read first. */
  ready(): CatalogSnapshot | undefined | Promise<void> {
    if (this.#catalog === undefined) return undefined;
    const current = this.#catalog.current ?? (this.#asked ? this.#snapshot : undefined);
    if (current === undefined) return this.#read();
    return (this.#snapshot = current);
  }

  /** A definition was changed within the session, and is in force. */
  definitionsChanged(): void {
    this.#catalog?.invalidate();
  }

  described(fields: readonly RowField[], stated: Stated, formats?: readonly number[]): RowPlan | Promise<void> {
    const snapshot = this.ready();
    if (snapshot instanceof Promise) return snapshot;
    if (snapshot === undefined) return unmaskedPlan(fields, formats);
    const unknown = fields.some(
      ({ table, attribute }) => attribute > 0 && table > 0 && !snapshot.knows(table, attribute),
    );
    const withoutOrigin = fields.some(({ attribute }) => attribute === 0);
    if (this.#worthAsking(snapshot, unknown || (withoutOrigin && this.#namesUnknown(stated, snapshot))))
      return this.#read();
    return describedPlan(fields, snapshot, () => this.taint(stated, snapshot), formats);
  }

  /** The plan of an Execute's rows: by the last description of its portal or statement. */
  executed(portal: Portal): RowPlan | Promise<void> {
    const fields = portal.fields ?? portal.prepared.fields;
    if (fields !== undefined) {
      const formats = portal.fields === undefined ? portal.formats : undefined;
      return this.described(fields, portal.stated, formats);
    }
    const snapshot = this.ready();
    if (snapshot instanceof Promise) return snapshot;
    if (snapshot === undefined) return unmaskedPlan([], portal.formats);
    return undescribedPlan(this.taint(portal.stated, snapshot), snapshot, portal.formats);
  }

  /** What the statement that is answered may meet; undefined where there are no rules for columns. */
  about(answering: Answering): StatementTaint | Promise<void> | undefined {
    const snapshot = this.ready();
    if (snapshot instanceof Promise || snapshot === undefined) return snapshot;
    const stated = statedBy(answering);
    if (stated === undefined) return unknownTaint(snapshot);
    if (this.#worthAsking(snapshot, this.#namesUnknown(stated, snapshot))) return this.#read();
    return this.taint(stated, snapshot);
  }

  /** What the COPY that is answered moves, and in which layout; undefined where it cannot be told. */
  copied(answering: Answering): CopyPlan | undefined | Promise<void> {
    const snapshot = this.ready();
    if (snapshot instanceof Promise) return snapshot;
    const stated = statedBy(answering);
    if (stated?.text === undefined) return undefined;
    if (snapshot !== undefined && this.#worthAsking(snapshot, this.#namesUnknown(stated, snapshot)))
      return this.#read();
    const statement = snapshot === undefined ? parseSql(stated.text)?.[stated.index] : undefined;
    const { copy } = snapshot === undefined ? statementTaint(statement, NO_RULES) : this.taint(stated, snapshot);
    if (copy === undefined) return undefined;
    const layout = copyLayout(copy);
    return { layout, rows: copiedPlan(copy.outputs, snapshot, layout.kind === "binary" ? 1 : 0) };
  }

  /** See `TaintCatalog`. */
  relations(schema: string | undefined, name: string): readonly (readonly TaintedColumn[])[] {
    return this.#snapshot?.relations(schema, name) ?? [];
  }

  /** What masks messages that quote a row of a table. */
  ofTable(schema: string, table: string): MaskRule | undefined {
    let rule: MaskRule | undefined;
    for (const columns of this.#snapshot?.relations(schema === "" ? undefined : schema, table) ?? [])
      for (const column of columns) rule = joined(rule, column.rule);
    return rule;
  }

  taint({ text, index, named }: Stated, snapshot: CatalogSnapshot): StatementTaint {
    const found = text === undefined ? undefined : snapshot.taints(text)?.[index];
    const meant = named ? found?.names?.taint : found;
    if (meant === undefined) return unknownTaint(snapshot);
    if (meant.shows === undefined) return meant;
    const { kind, name } = meant.shows;
    const shown = kind === "statement" ? this.#replies.statement(name) : this.#replies.portal(name);
    // What it shows shows nothing else itself: EXECUTE and FETCH cannot be prepared or declared.
    const of = shown.stated.text === undefined ? undefined : snapshot.taints(shown.stated.text)?.[shown.stated.index];
    const theirs = shown.stated.named ? of?.names?.taint : of;
    return theirs?.shows === undefined && theirs !== undefined ? theirs : unknownTaint(snapshot);
  }

  /** The name that a PREPARE or DECLARE gives. */
  nameIn({ text, index }: Stated): string | undefined {
    return text === undefined ? undefined : this.#snapshot?.taints(text)?.[index]?.names?.name;
  }

  #namesUnknown({ text }: Stated, snapshot: CatalogSnapshot): boolean {
    return text !== undefined && snapshot.namesUnknown(text);
  }

  #worthAsking(snapshot: CatalogSnapshot, unknown: boolean): boolean {
    return unknown && !this.#asked && (this.#catalog?.mayKnowMore(snapshot) ?? false);
  }

  async #read(): Promise<void> {
    this.#asked = true;
    this.#snapshot = await this.#catalog?.read(this.#ask);
  }
}

function statedBy(answering: Answering): Stated | undefined {
  switch (answering.kind) {
    case "query":
    case "prepare":
      return answering.stated;
    case "execute":
    case "describe-portal":
      return answering.portal.stated;
    case "describe-statement":
      return answering.prepared.stated;
    case "call":
    case "unknown":
      return undefined;
  }
}
