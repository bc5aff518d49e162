import { describe, expect, it } from "vitest";
import type { PrincipalId } from "../../core/identity/principal.ts";
import type { PassId } from "../../core/ports/pass-store.ts";
import type { SessionOpening, SessionQuery } from "../../core/ports/session-store.ts";
import { openDatabase } from "../../local/database.ts";
import { sqliteSessionStore } from "../../local/session-store.ts";
import { sessionIdAt } from "../setup/session-ids.ts";
import { sessionStoreContract } from "./session-store.ts";

sessionStoreContract("SQLite", async () => sqliteSessionStore(openDatabase(":memory:")));

const SOME_SESSION: SessionOpening = {
  id: sessionIdAt(1, 1),
  protocol: "ssh",
  connection: "web",
  principalId: "https://issuer.example|ana" as PrincipalId,
  principalName: "ana",
  passId: "p" as PassId,
  client: "192.0.2.7:1",
  task: "t",
  startedAt: 1,
};

/** Every combination of filters. */
function queries(): SessionQuery[] {
  let all: SessionQuery[] = [{ limit: 10 }];
  const filters = [{ principalId: "p" as PrincipalId }, { connection: "c" }, { live: true }, { live: false }];
  for (const filter of filters) all = all.flatMap((query) => [query, { ...query, ...filter }]);
  return all;
}

describe("the session store of SQLite", () => {
  it("goes on with an index of before there were actors", async () => {
    const db = openDatabase(":memory:");
    await sqliteSessionStore(db).open({ ...SOME_SESSION, actors: ["service|robot" as PrincipalId] });
    db.exec("ALTER TABLE sessions DROP COLUMN actors");
    for (const store of [sqliteSessionStore(db), sqliteSessionStore(db)])
      expect(await store.get(SOME_SESSION.id)).toEqual({ ...SOME_SESSION, closing: undefined });
  });

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
    expect(lists).toHaveLength(12 + 1); // and what retention looks at
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
