import { beforeEach, describe, expect, test } from "vitest";
import type { Digest } from "../../../core/brand.ts";
import type { SessionId, SessionStore } from "../../../core/ports/session-store.ts";
import { forgetEndedBefore } from "../../../core/recording/retention.ts";
import { openDatabase } from "../../../local/database.ts";
import { sqliteSessionStore } from "../../../local/session-store.ts";
import { opening } from "../../setup/make-recording.ts";
import { sessionIdAt } from "../../setup/session-ids.ts";

const T0 = 1_800_000_000_000;
const CLOSING = { reason: "client-closed", statements: 0, bytesFromClient: 0, bytesFromTarget: 0, chunks: 1, head: "0".repeat(64) as Digest } as const; // prettier-ignore

let sessions: SessionStore;
let removed: SessionId[];
beforeEach(() => {
  sessions = sqliteSessionStore(openDatabase(":memory:"));
  removed = [];
});

/** A session that began then, and ended at once unless it lives. */
async function session(n: number, lives = false): Promise<SessionId> {
  const row = opening(sessionIdAt(T0 + n, n), { startedAt: T0 + n });
  await sessions.open(row);
  if (!lives) await sessions.close(row.id, { ...CLOSING, endedAt: T0 + n });
  return row.id;
}

const forget = (before: number, most = 1_000, remove = async (id: SessionId) => void removed.push(id)) =>
  forgetEndedBefore({ sessions, remove }, before, most);

describe("retention", () => {
  test("removes recordings and rows of sessions that ended before a time, and no others, however often it looks", async () => {
    const [old, older, recent, live] = [await session(2), await session(1), await session(9), await session(0, true)];
    expect(await forget(T0 + 5)).toBe(2);
    expect(removed).toEqual([older, old]);
    for (const id of [old, older]) expect(await sessions.get(id)).toBeUndefined();
    for (const id of [recent, live]) expect(await sessions.get(id)).toBeDefined();
    expect(await forget(T0 + 5)).toBe(0);
  });

  test("takes as many as it is told to, and the rest with the next look", async () => {
    for (let n = 1; n <= 250; n++) await session(n);
    expect([await forget(T0 + 1_000, 130), await forget(T0 + 1_000, 130), await forget(T0 + 1_000, 130)]).toEqual([130, 120, 0]); // prettier-ignore
    expect(new Set(removed).size).toBe(250);
  });

  test("leaves the row of a recording that could not be removed, for the next look", async () => {
    const id = await session(1);
    await expect(forget(T0 + 5, 10, () => Promise.reject(new Error("disk")))).rejects.toThrow("disk");
    expect(await sessions.get(id)).toBeDefined();
    expect(await forget(T0 + 5)).toBe(1);
  });
});
