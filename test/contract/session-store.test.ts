import { describe, expect, it } from "vitest";
import type { PrincipalId } from "../../core/identity/principal.ts";
import type { SessionQuery } from "../../core/ports/session-store.ts";
import { openDatabase } from "../../local/database.ts";
import { sqliteSessionStore } from "../../local/session-store.ts";
import { sessionStoreContract } from "./session-store.ts";

sessionStoreContract("SQLite", async () => sqliteSessionStore(openDatabase(":memory:")));

/** Every combination of filters. */
function queries(): SessionQuery[] {
  let all: SessionQuery[] = [{ limit: 10 }];
  const filters = [{ principalId: "p" as PrincipalId }, { connection: "c" }, { live: true }, { live: false }];
  for (const filter of filters) all = all.flatMap((query) => [query, { ...query, ...filter }]);
  return all;
}

describe("the session store of SQLite", () => {
  it("answers store-unavailable when its database fails", async () => {
    const db = openDatabase(":memory:");
    const store = sqliteSessionStore(db);
    db.close();
    await expect(store.list({ limit: 1 })).rejects.toMatchObject({ code: "store-unavailable" });
  });

  it("reads a page from an index in its order, whatever the filters, and compiles each statement once", async () => {
    const db = openDatabase(":memory:");
    const prepare = db.prepare.bind(db);
    const compiled: string[] = [];
    db.prepare = (sql, ...rest) => {
      compiled.push(sql);
      return prepare(sql, ...rest);
    };
    const store = sqliteSessionStore(db);
    for (const query of [...queries(), ...queries()]) await store.list({ ...query, from: 1, to: 2 });
    expect(new Set(compiled).size).toBe(compiled.length);
    const lists = compiled.filter((sql) => sql.includes("ORDER BY"));
    expect(lists).toHaveLength(12);
    for (const sql of lists) {
      const plan = prepare(`EXPLAIN QUERY PLAN ${sql}`).all();
      const steps = plan.map((row) => String(row["detail"])).join("; ");
      expect(steps, sql).toMatch(/^SEARCH sessions USING INDEX [^;]*$/);
      const filters = ["principal_id", "connection"].filter((column) => sql.includes(`${column} = ?`));
      if (sql.includes("ended_at IS NULL")) expect(steps, sql).toContain("sessions_live");
      else for (const column of filters) expect(steps, sql).toContain(`${column}=?`);
    }
  });
});
