import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { PassId, PassStore } from "../../core/ports/pass-store.ts";
import { watchSessions, type LiveSession, type LiveSessions } from "../../gateway-task/live-sessions.ts";
import { sessionIdAt } from "../setup/session-ids.ts";

const logger = pino({ level: "silent" });
let revoked: { readonly id: PassId; readonly at: number }[];
let live: LiveSessions;

beforeEach(() => {
  vi.useFakeTimers();
  revoked = [];
});
afterEach(() => {
  live.close();
  vi.useRealTimers();
});

/** A store of nothing but revocations. */
function watch(revokedSince: PassStore["revokedSince"]): LiveSessions {
  live = watchSessions({ revokedSince } as PassStore, Date.now, logger);
  return live;
}
const answering = async (since: number): Promise<PassId[]> =>
  revoked.filter(({ at }) => at >= since).map(({ id }) => id);

/** A session that only notes why it was ended. */
function session(pass = "pass-1"): LiveSession & { readonly ends: string[] } {
  const ends: string[] = [];
  return {
    id: sessionIdAt(Date.now(), Math.floor(Math.random() * 2 ** 40)),
    pass: pass as PassId,
    ends,
    end: (reason, error) => void ends.push(`${reason}: ${error.code}`),
    cancel: () => false,
    record: () => {},
  };
}

describe("live sessions", () => {
  it("end when their pass is revoked while their log-in takes its thirty seconds", async () => {
    watch(answering);
    await vi.advanceTimersByTimeAsync(5_000);
    revoked.push({ id: "pass-1" as PassId, at: Date.now() }); // after the pass was judged, before the session is live
    await vi.advanceTimersByTimeAsync(29_000);
    const late = session();
    live.add(late);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(late.ends).toContain("pass-revoked: pass-revoked");
  });

  it("end when the store neither answers nor fails for five seconds", async () => {
    let hangs = false;
    watch(async (since) => (hangs ? new Promise(() => {}) : answering(since)));
    const one = session();
    live.add(one);
    await vi.advanceTimersByTimeAsync(3_000);
    expect(one.ends).toEqual([]);
    hangs = true;
    await vi.advanceTimersByTimeAsync(6_000);
    expect(one.ends).toContain("recording-failed: store-unavailable");
  });

  it("go on while the store fails for less than that", async () => {
    let fails = false;
    watch(async (since) => (fails ? Promise.reject(new Error("not now")) : answering(since)));
    const one = session();
    live.add(one);
    await vi.advanceTimersByTimeAsync(3_000);
    fails = true;
    await vi.advanceTimersByTimeAsync(3_000);
    fails = false;
    await vi.advanceTimersByTimeAsync(30_000);
    expect(one.ends).toEqual([]);
  });

  it("end at once when they come after all others were told to end", () => {
    watch(answering);
    live.close();
    const late = session();
    live.add(late);
    expect(late.ends).toEqual(["shutting-down: shutting-down"]);
  });
});
