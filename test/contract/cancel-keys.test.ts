import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { sqliteCancelKeys } from "../../local/cancel-keys.ts";
import { openDatabase } from "../../local/database.ts";
import { sessionIdAt } from "../setup/session-ids.ts";
import { cancelKeysContract } from "./cancel-keys.ts";

cancelKeysContract("SQLite", async () => sqliteCancelKeys(openDatabase(":memory:")));

it("SQLite cancel keys never store the secret that the client holds", async () => {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-cancel-"));
  try {
    const db = openDatabase(join(folder, "store.db"));
    const secret = Buffer.from("the client's canary");
    const other = Buffer.from("the target's own");
    await sqliteCancelKeys(db).put(1, secret, {
      session: sessionIdAt(1),
      connection: "shop",
      processId: 1,
      secret: other,
    });
    db.close();
    const file = readFileSync(join(folder, "store.db"));
    expect(file.includes(other)).toBe(true);
    expect(file.includes(secret)).toBe(false);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
