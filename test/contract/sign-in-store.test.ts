import { DatabaseSync } from "node:sqlite";
import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { mintDeviceCode, mintUserCode } from "../../core/identity/device-sign-in.ts";
import { openDatabase } from "../../local/database.ts";
import { sqliteSignInStore } from "../../local/sign-in-store.ts";
import { signInStoreContract } from "./sign-in-store.ts";

signInStoreContract("SQLite", async () => sqliteSignInStore(openDatabase(":memory:")));

test("a state folder of before SSH goes on: its requests are those of the command line", async () => {
  const db = new DatabaseSync(":memory:");
  db.exec(`CREATE TABLE device_requests (device_code TEXT PRIMARY KEY, user_code TEXT NOT NULL UNIQUE, label TEXT NOT NULL,
    address TEXT NOT NULL, requested_at INTEGER NOT NULL, expires_at INTEGER NOT NULL,
    decision TEXT NOT NULL DEFAULT 'pending', principal TEXT, last_polled_at INTEGER) STRICT`);
  const { hash } = mintDeviceCode(randomBytes);
  const userCode = mintUserCode(randomBytes);
  db.prepare("INSERT INTO device_requests (device_code, user_code, label, address, requested_at, expires_at) VALUES (?, ?, '', '', 1, 2)").run(hash, userCode); // prettier-ignore
  for (const store of [sqliteSignInStore(db), sqliteSignInStore(db)])
    expect(await store.findUserCode(userCode)).toMatchObject({ deviceCode: hash, connection: undefined });
});
