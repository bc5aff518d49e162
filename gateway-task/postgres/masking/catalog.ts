import type { Masking } from "../../../core/masking/masking.ts";
import { loadSqlParser } from "../../../core/policy/sql-parser.ts";
import type { CatalogRows } from "./catalog-rows.ts";
import { CatalogSnapshot } from "./catalog-snapshot.ts";

/** What is renamed at the target, past the gateway, is noticed within this time. */
const MAX_AGE_MS = 60_000;
/** An OID that was not found is looked for again: what another transaction made may have been committed since. */
const LOOK_AGAIN_MS = 1_000;

/**
 * What a target's catalog says of masked columns, kept for the sessions of one connection and database. A read that fails
 * rejects for whoever waits for it, and is tried anew by the next.
 */
export class Catalog {
  readonly #masking: Masking;
  readonly #clock: () => number;
  #snapshot: CatalogSnapshot | undefined;
  #stale = true;
  #reading: Promise<CatalogSnapshot> | undefined;

  constructor(masking: Masking, clock: () => number) {
    this.#masking = masking;
    this.#clock = clock;
  }

  /** The snapshot, where there is a fresh one. */
  get current(): CatalogSnapshot | undefined {
    if (this.#stale || this.#snapshot === undefined) return undefined;
    return this.#clock() - this.#snapshot.readAt < MAX_AGE_MS ? this.#snapshot : undefined;
  }

  /** A definition was changed through the gateway: what was read before is not to be used any more. */
  invalidate(): void {
    this.#stale = true;
  }

  /** Whether it is worth reading again for something that `snapshot` does not know. */
  mayKnowMore(snapshot: CatalogSnapshot): boolean {
    return this.#clock() - snapshot.readAt >= LOOK_AGAIN_MS;
  }

  /** Reads the catalog with a session's own credentials; sessions that ask at the same time share one answer. */
  async read(ask: () => Promise<CatalogRows>): Promise<CatalogSnapshot> {
    // An answer that was begun before a definition changed may not know it.
    const reading = this.#stale ? undefined : this.#reading;
    if (reading !== undefined) return reading;
    this.#stale = false;
    const began = (this.#reading = this.#readNow(ask));
    try {
      return await began;
    } catch (error) {
      this.#stale = true;
      throw error;
    } finally {
      if (this.#reading === began) this.#reading = undefined;
    }
  }

  async #readNow(ask: () => Promise<CatalogRows>): Promise<CatalogSnapshot> {
    await loadSqlParser();
    const began = this.#clock();
    const rows = await ask();
    const snapshot = new CatalogSnapshot(rows, this.#masking, began);
    if (this.#snapshot === undefined || this.#snapshot.readAt <= began) this.#snapshot = snapshot;
    return snapshot;
  }
}

/** Databases whose catalogs are kept at a time; the oldest goes first. */
const MAX_CATALOGS = 64;

/** The catalogs of a process, by rules, connection and database. */
export function newCatalogs(clock: () => number): (masking: Masking, connection: string, database: string) => Catalog {
  const catalogs = new Map<string, { readonly masking: Masking; readonly catalog: Catalog }>();
  return (masking, connection, database) => {
    const key = `${connection}/${database}`;
    const kept = catalogs.get(key);
    if (kept?.masking === masking) return kept.catalog;
    const catalog = new Catalog(masking, clock);
    catalogs.delete(key);
    catalogs.set(key, { masking, catalog });
    for (const [oldest] of catalogs) {
      if (catalogs.size <= MAX_CATALOGS) break;
      catalogs.delete(oldest);
    }
    return catalog;
  };
}
