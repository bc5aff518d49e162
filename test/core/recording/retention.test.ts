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

const noted = async (id: SessionId): Promise<void> => void removed.push(id);
const forget = (before: number, most = 1_000, remove = noted) => forgetEndedBefore({ sessions, remove }, before, most);

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
    await expect(forget(T0 + 5, 10, () => Promise.reject(new Error("disk")))).rejects.toMatchObject({
      errors: [new Error("disk")],
    });
    expect(await sessions.get(id)).toBeDefined();
    expect(await forget(T0 + 5)).toBe(1);
  });

  test("is not kept from the others by one that cannot be removed, and tells of it at the end", async () => {
    const ids: SessionId[] = [];
    for (let n = 1; n <= 250; n++) ids.push(await session(n));
    const [stuck] = ids;
    const remove = async (id: SessionId): Promise<void> => {
      if (id === stuck) throw new Error("immutable");
    };
    await expect(forget(T0 + 1_000, 1_000, remove)).rejects.toThrow("1 sessions could not be forgotten, 249 were");
    expect((await sessions.closedBefore(T0 + 1_000, 9)).map(({ id }) => id)).toEqual([stuck]);
  });

  test("gives up where nothing can be removed, and stops behind the session at hand when it is told to", async () => {
    for (let n = 1; n <= 50; n++) await session(n);
    let asked = 0;
    const broken = async (): Promise<void> => {
      asked++;
      throw new Error("disk");
    };
    await expect(forget(T0 + 1_000, 1_000, broken)).rejects.toThrow("20 sessions could not be forgotten, 0 were");
    expect(asked).toBe(20);
    const stopping = new AbortController();
    const remove = async (): Promise<void> => stopping.abort();
    expect(await forgetEndedBefore({ sessions, remove }, T0 + 1_000, 1_000, stopping.signal)).toBe(1);
  });
});
