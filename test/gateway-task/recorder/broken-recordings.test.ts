import { cp, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import type { SessionId } from "../../../core/ports/session-store.ts";
import { decodeChunk, encodeChunk, sha256 } from "../../../core/recording/chunk.ts";
import { eventsOf, framesOf, readSession } from "../../../core/recording/reader.ts";
import { spoolRecovery } from "../../../gateway-task/recorder/recovery.ts";
import { recorderStage, type RecorderStage } from "../../setup/recorder.ts";

const query = (text: string): Buffer => {
  const message = Buffer.from(`Q____${text}\0`);
  message.writeUInt32BE(message.length - 1, 1);
  return message;
};

/** What a task left behind that died with two live sessions and one chunk of each in the spool, none of them stored. */
let dead: string;
let broken: SessionId;
let other: SessionId;
let first: Buffer;

beforeAll(async () => {
  const made = await recorderStage((chunks) => ({ ...chunks, put: () => new Promise(() => {}) }));
  const recorder = await made.start("task-dead");
  const sessions = [await made.session(recorder), await made.session(recorder)];
  [broken, other] = sessions.map(({ session }) => session) as [SessionId, SessionId];
  for (const session of sessions) await session.input(query("select 'asked'"));
  const spooled = async (): Promise<string[]> =>
    (await readdir(made.options.spool, { recursive: true })).filter((name) => name.endsWith(".chunk"));
  await vi.waitFor(async () => expect(await spooled()).toHaveLength(2), { timeout: 10_000 });
  await recorder.close(0);
  dead = await mkdtemp(path.join(tmpdir(), "sallyport-broken-"));
  await cp(made.options.spool, dead, { recursive: true });
  first = await readFile(path.join(dead, "task-dead", broken, "00000000.chunk"));
  await made.remove();
});
afterAll(() => rm(dead, { recursive: true, force: true }));

let stage: RecorderStage;
beforeEach(async () => {
  stage = await recorderStage();
  await cp(dead, stage.options.spool, { recursive: true });
  return async () => stage.remove();
});

/** As the housekeeping of a living task does it, or the next start; each time long after the time before. */
const recover = async (times: number): Promise<void> => {
  let now = 0;
  const look = spoolRecovery({ ...stage.options, task: "task-b", monotonic: () => (now += 1_000_000) });
  for (let time = 0; time < times; time++) await look();
};

/** The chunk that the dead gateway had made behind these. */
function nextOf(chunk: Uint8Array, sequence: number): Buffer {
  const { header, body } = decodeChunk(chunk);
  const firstFrame = header.firstFrame + header.frames;
  return encodeChunk({ ...header, sequence, firstFrame, previous: sha256(chunk) }, body);
}

const inSpool = (name: string): string => path.join(stage.options.spool, "task-dead", broken, name);
const tear = async (name: string): Promise<void> => {
  await rm(inSpool(name), { force: true });
  await writeFile(inSpool(name), first.subarray(0, 100));
};
const kept = async (): Promise<string[]> =>
  (await readdir(path.join(stage.options.spool, ".quarantine", broken), { recursive: true })).toSorted();

async function expectOthersWhole(): Promise<void> {
  expect(await stage.verify(other)).toMatchObject({ ok: true });
  expect((await stage.options.sessions.get(other))?.closing?.reason).toBe("interrupted");
}

/** It has ended, and says what it lacks: in the index, in the manifest, in the log; and nobody tries again. */
async function expectSealedBroken(chunk: number): Promise<void> {
  const found = await stage.verify(broken);
  expect(found).toMatchObject({ ok: false, fault: { chunk }, manifest: { reason: "interrupted", fault: { chunk } } });
  expect((await stage.options.sessions.get(broken))?.closing).toMatchObject({ reason: "interrupted", chunks: chunk });
  expect(stage.logs.join("")).toContain("a recording is broken");
  expect(await readdir(stage.options.spool)).toEqual([".quarantine"]);
  await expectOthersWhole();
}

describe("a session whose recording a loss of power broke", () => {
  it.each([
    ["the next one", () => [nextOf(first, 1)]],
    ["the one after the next", () => [undefined, nextOf(nextOf(first, 1), 2)]],
  ])("is sealed where its chain ends when a chunk is torn and %s is stored already", async (_, make) => {
    await tear("00000000.chunk");
    for (const [at, bytes] of make().entries()) if (bytes) stage.stored.chunks.set(`${broken}/${at + 1}`, bytes);
    await recover(3);
    await expectSealedBroken(1);
    // What was asked in the torn chunk is in the sealed part: the log had it.
    const { closing } = (await stage.options.sessions.get(broken)) ?? {};
    const shown: string[] = [];
    const read = async (): Promise<void> => {
      for await (const part of readSession(stage.stored, broken, { seal: closing }))
        for (const { payload } of framesOf(part)) shown.push(payload.toString("latin1"));
    };
    await expect(read()).rejects.toMatchObject({ code: "recording-corrupt" });
    expect(shown.join()).toContain("select 'asked'");
    expect(await kept()).toEqual(["spool", "spool/00000000.chunk"]);
  });

  it("is sealed with nothing in its chain when the store holds another first chunk, and what was asked is kept", async () => {
    stage.stored.chunks.set(`${broken}/0`, Buffer.from("not a chunk"));
    await recover(3);
    await expectSealedBroken(0);
    expect(await kept()).toEqual(["recovered", "recovered/00000000.chunk", "spool", "spool/00000000.chunk"]);
    const file = path.join(stage.options.spool, ".quarantine", broken, "recovered", "00000000.chunk");
    const chunk = decodeChunk(await readFile(file));
    const told = [...eventsOf(chunk)].map(({ event }) => (event.type === "statement" ? event.text : event.type));
    expect(told).toEqual(["session-opened", "select 'asked'", "session-closed"]);
  });

  it("stays broken although what came later is removed from the store: the signed manifest says it", async () => {
    await tear("00000000.chunk");
    stage.stored.chunks.set(`${broken}/1`, nextOf(first, 1));
    await recover(3);
    stage.stored.chunks.delete(`${broken}/1`);
    expect(await stage.verify(broken)).toMatchObject({ ok: false, fault: { kind: "closed-broken", chunk: 1 } });
  });

  it("is whole again from the log when only the spool had the next chunk, and that one is not thrown away", async () => {
    await tear("00000000.chunk");
    await writeFile(inSpool("00000001.chunk"), nextOf(first, 1));
    await recover(3);
    expect(await stage.verify(broken)).toMatchObject({ ok: true });
    expect(await kept()).toEqual(["spool", "spool/00000001.chunk"]);
    await expectOthersWhole();
    expect(await readdir(stage.options.spool)).toEqual([".quarantine"]);
  });

  it("keeps a spool that cannot be recovered for a try that comes ever later", async () => {
    let now = 0;
    const tries: number[] = [];
    const chunks = { ...stage.options.chunks, get: async () => Promise.reject(new Error("unreachable")) };
    const logger = stage.options.logger;
    const look = spoolRecovery({ ...stage.options, chunks, logger, task: "task-b", monotonic: () => now });
    for (; now < 60_000; now += 500) {
      const before = stage.logs.length;
      await look();
      if (stage.logs.length > before) tries.push(now);
    }
    expect(tries).toEqual([0, 1_000, 3_000, 7_000, 15_000, 31_000]);
    expect(await readdir(path.join(stage.options.spool, "task-dead"))).toContain(broken);
  });
});
