import { afterEach, describe, expect, it } from "vitest";
import { SallyportError } from "../../../core/errors.ts";
import type { ChunkStore } from "../../../core/ports/chunk-store.ts";
import type { SessionId } from "../../../core/ports/session-store.ts";
import type { Recorder } from "../../../gateway-task/recorder/recorder.ts";
import { recorderStage, type RecorderStage } from "../../setup/recorder.ts";

let stage: RecorderStage;
let recorder: Recorder;
afterEach(async () => {
  await recorder.close(2_000);
  await stage.remove();
});

/** A store that refuses the first chunk of every session as often as it is told to. */
const refusingFirst =
  (times: number) =>
  (chunks: ChunkStore): ChunkStore => {
    let left = times;
    return {
      ...chunks,
      put: async (key, body, sha256) => {
        if (key.sequence === 0 && left-- > 0) throw new SallyportError("store-unavailable", "not now");
        return chunks.put(key, body, sha256);
      },
    };
  };

describe("a recorder whose store fails", () => {
  it("keeps a session's first chunk, and signs nothing before it is stored, when the store takes the last one first", async () => {
    stage = await recorderStage(refusingFirst(3));
    recorder = await stage.start("task-a");
    const session = await stage.session(recorder);
    const other = await stage.session(recorder);
    await session.output(Buffer.from("Z\0\0\0\x05I"));
    await expect.poll(() => stage.logs.join(""), { timeout: 10_000 }).toContain("chunks could not be stored");
    // The first chunk waits for its retry; the rest of the session goes the other way.
    await session.output(Buffer.from("Z\0\0\0\x05I"));
    recorder.seal(session, "client-closed");
    recorder.seal(other, "client-closed");
    await expect
      .poll(async () => (await stage.options.sessions.get(session.session))?.closing, { timeout: 20_000 })
      .toBeDefined();
    expect(await stage.verify(session.session)).toMatchObject({ ok: true, chunks: 2 });
  });

  it("stores everybody else's chunks although the store will never take those of two sessions", async () => {
    const poisoned = new Set<string>();
    stage = await recorderStage((chunks) => ({
      ...chunks,
      put: async (key, body, sha256) => {
        if (poisoned.has(key.session)) throw new SallyportError("conflict", "another object is stored under this name");
        return chunks.put(key, body, sha256);
      },
    }));
    recorder = await stage.start("task-a");
    for (let count = 0; count < 2; count++) {
      const session = await stage.session(recorder);
      poisoned.add(session.session);
      recorder.seal(session, "client-closed");
    }
    await expect.poll(() => stage.logs.join(""), { timeout: 10_000 }).toContain("chunks could not be stored");
    const session = await stage.session(recorder);
    recorder.seal(session, "client-closed");
    const closing = async () => (await stage.options.sessions.get(session.session))?.closing;
    await expect.poll(closing, { timeout: 10_000 }).toBeDefined();
    expect(await stage.verify(session.session)).toMatchObject({ ok: true });
  });

  it("closes a session that the index did not take, so that nothing of it is left behind", async () => {
    stage = await recorderStage();
    const { sessions } = stage.options;
    let refusals = 1;
    recorder = await stage.start("task-a", {
      sessions: {
        ...sessions,
        open: async (row) => {
          if (refusals-- > 0) throw new SallyportError("store-unavailable", "not now");
          return sessions.open(row);
        },
      },
    });
    await expect(stage.session(recorder)).rejects.toThrow("not now");
    await expect.poll(() => [...stage.stored.manifests.keys()], { timeout: 10_000 }).toHaveLength(1);
    const [session] = [...stage.stored.manifests.keys()];
    if (session === undefined) throw new Error("no manifest");
    const closing = async () => (await sessions.get(session))?.closing;
    await expect.poll(closing).toMatchObject({ reason: "recording-failed" });
    expect(await stage.verify(session)).toMatchObject({ ok: true });
  });

  it("refuses a session whose row the index takes too long for, and closes it, also when the row comes after all", async () => {
    stage = await recorderStage();
    const { sessions } = stage.options;
    const late: (() => void)[] = [];
    recorder = await stage.start("task-a", {
      storeWithinMs: 30,
      sessions: {
        ...sessions,
        open: async (row) => {
          if (late.length === 0) await new Promise<void>((answered) => late.push(answered));
          return sessions.open(row);
        },
      },
    });
    await expect(stage.session(recorder)).rejects.toMatchObject({ code: "store-unavailable" });
    const closed = async () => (await sessions.list({ limit: 10, live: false })).map(({ closing }) => closing?.reason);
    await expect.poll(closed, { timeout: 10_000 }).toEqual(["recording-failed"]);
    late[0]?.();
    await new Promise((done) => setImmediate(done));
    expect(await sessions.list({ limit: 10, live: true })).toEqual([]);
    const [session] = [...stage.stored.manifests.keys()];
    expect(await stage.verify(session ?? ("none" as SessionId))).toMatchObject({ ok: true });
  });

  it("closes a session although the store did not answer once", async () => {
    let silent = 1;
    stage = await recorderStage((chunks) => ({
      ...chunks,
      putManifest: async (...given) => (silent-- > 0 ? new Promise(() => {}) : chunks.putManifest(...given)),
    }));
    recorder = await stage.start("task-a", { storeWithinMs: 30 });
    const session = await stage.session(recorder);
    recorder.seal(session, "client-closed");
    const closing = async () => (await stage.options.sessions.get(session.session))?.closing;
    await expect.poll(closing, { timeout: 10_000 }).toMatchObject({ reason: "client-closed" });
    expect(await stage.verify(session.session)).toMatchObject({ ok: true });
  });

  it("ends every session when the lease on the spool can neither be renewed nor refused", async () => {
    stage = await recorderStage();
    const { leases } = stage.options;
    let now = performance.now();
    let asked = 0;
    recorder = await stage.start("task-a", {
      monotonic: () => now,
      leases: {
        ...leases,
        acquire: async (...lease) => (asked++ === 0 ? leases.acquire(...lease) : new Promise(() => {})),
      },
    });
    const failures: string[] = [];
    recorder.onFailure((error) => failures.push(error.code));
    await expect.poll(() => asked, { timeout: 10_000 }).toBeGreaterThan(1);
    now += 20_000;
    await expect.poll(() => failures, { timeout: 10_000 }).toEqual(["recording-failed"]);
  });
});
