import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { asSallyportError } from "../core/errors.ts";

/** How long a statement waits for another process's write before it fails. */
const BUSY_TIMEOUT_MS = 2_000;

/**
 * The embedded store: one SQLite file for all ports that keep rows. What it has acknowledged, a revocation above all,
 * survives the loss of power. Each store creates its own tables when it is made.
 * @param path a file, whose folder is made if need be, or `:memory:`
 */
export function openDatabase(path: string): DatabaseSync {
  if (path !== ":memory:") mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const database = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS });
  database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;");
  return database;
}

/** Adds a column to a table that an earlier version made without it. The names are ours, and not quoted. */
export function addColumn(db: DatabaseSync, table: string, column: string, type: string): void {
  const columns = db.prepare(`SELECT name FROM pragma_table_info('${table}')`).all();
  if (!columns.some(({ name }) => name === column)) db.exec(`ALTER TABLE ${table} ADD COLUMN ${column} ${type}`);
}

/** Runs a store's statement; whatever SQLite throws becomes `store-unavailable`. */
export async function stored<T>(what: string, run: () => T): Promise<T> {
  try {
    return await Promise.resolve(run());
  } catch (thrown) {
    throw asSallyportError(thrown, "store-unavailable", `the store could not ${what}`);
  }
}

/** All of it or nothing. The work runs without a pause. */
export function inTransaction<T>(db: DatabaseSync, work: () => T): T {
  db.exec("BEGIN IMMEDIATE");
  try {
    const result = work();
    db.exec("COMMIT");
    return result;
  } catch (thrown) {
    db.exec("ROLLBACK");
    throw thrown;
  }
}
