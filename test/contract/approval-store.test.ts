import { describe, expect, it } from "vitest";
import { sqliteApprovalStore } from "../../local/approval-store.ts";
import { openDatabase } from "../../local/database.ts";
import { approvalStoreContract } from "./approval-store.ts";

approvalStoreContract("SQLite", async () => sqliteApprovalStore(openDatabase(":memory:")));

describe("the approval store of SQLite", () => {
  it("answers store-unavailable when its database fails", async () => {
    const db = openDatabase(":memory:");
    const store = sqliteApprovalStore(db);
    db.close();
    await expect(store.decidedSince(0)).rejects.toMatchObject({ code: "store-unavailable" });
  });

  it("reads every answer from an index, so that a long history does not hold up the sessions of the process", async () => {
    const db = openDatabase(":memory:");
    const prepare = db.prepare.bind(db);
    const compiled: string[] = [];
    db.prepare = (sql, ...rest) => {
      compiled.push(sql);
      return prepare(sql, ...rest);
    };
    sqliteApprovalStore(db);
    const questions = compiled.filter((sql) => sql.trimStart().startsWith("SELECT"));
    expect(questions.length).toBeGreaterThan(6);
    for (const sql of questions) {
      const steps = prepare(`EXPLAIN QUERY PLAN ${sql}`).all();
      for (const { detail } of steps) expect(String(detail), sql).not.toMatch(/^SCAN (?!json_each)/);
    }
  });
});
