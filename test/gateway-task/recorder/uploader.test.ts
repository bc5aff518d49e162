import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { ChunkStore } from "../../../core/ports/chunk-store.ts";
import { sha256, toDigest } from "../../../core/recording/chunk.ts";
import { type SpooledChunk, Uploader } from "../../../gateway-task/recorder/uploader.ts";
import { memoryChunks, nameOf } from "../../setup/memory-chunks.ts";
import { sessionIdAt } from "../../setup/session-ids.ts";

/** So that a test need not wait for as long as a store may take. */
const WITHIN_MS = 20;
const never = new Promise<never>(() => {});
const logger = pino({ level: "silent" });

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "sallyport-uploads-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function spooled(n: number): Promise<SpooledChunk> {
  const body = Buffer.from(`chunk ${n}`);
  const file = path.join(folder, `${n}.chunk`);
  await writeFile(file, body);
  return { session: sessionIdAt(n), sequence: 0, file, sha256: toDigest(sha256(body)) };
}

describe("an uploader whose store does not answer", () => {
  it.each<[string, (chunks: ChunkStore, call: number) => Partial<ChunkStore>]>([
    ["put", (chunks, call) => ({ put: async (...given) => (call <= 2 ? never : chunks.put(...given)) })],
    ["adopt", (_, call) => ({ adopt: async () => (call <= 2 ? never : false) })],
  ])("gives %s up, asks again, and stores everything", async (name, faulty) => {
    const memory = memoryChunks();
    let calls = 0;
    const counted = { get: (): ChunkStore => ({ ...memory, ...faulty(memory, ++calls) }) };
    const store = new Proxy(memory, {
      get: (target, method) => Reflect.get(method === name ? counted.get() : target, method) as unknown,
    });
    const uploader = new Uploader(store, logger, WITHIN_MS);
    const chunks = await Promise.all([1, 2, 3, 4].map(spooled));
    const stored: string[] = [];
    for (const chunk of chunks) uploader.add(chunk, () => stored.push(nameOf(chunk)));
    await uploader.idle();
    expect(stored.toSorted()).toEqual(chunks.map(nameOf));
    expect([...memory.chunks.keys()].toSorted()).toEqual(chunks.map(nameOf));
    expect(await readdir(folder)).toEqual([]);
  });

  it("tells once that a chunk is stored, though the call that was given up succeeds too, or fails, in the end", async () => {
    const memory = memoryChunks();
    const late: ((fails: boolean) => void)[] = [];
    const put: ChunkStore["put"] = async (...given) => {
      if (late.length === 2) return memory.put(...given);
      const fails = await new Promise<boolean>((answered) => late.push(answered));
      if (fails) throw new Error("too late");
      return memory.put(...given);
    };
    const uploader = new Uploader({ ...memory, put }, logger, WITHIN_MS);
    const chunk = await spooled(1);
    let stored = 0;
    uploader.add(chunk, () => stored++);
    await uploader.idle();
    for (const [at, answer] of late.entries()) answer(at === 0);
    await new Promise((done) => setImmediate(done));
    expect([stored, memory.chunks.size]).toEqual([1, 1]);
  });

  it("keeps the chunks in the spool, and leaves a bounded number of calls behind, when it never answers", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    try {
      let calls = 0;
      const store = { ...memoryChunks(), put: async () => (calls++, never) };
      const uploader = new Uploader(store, logger);
      for (let n = 0; n < 10; n++) uploader.add(await spooled(n), () => expect.unreachable());
      for (let hours = 0, enough = 0; enough < 200; hours++, enough += calls < 64 ? 0 : 1) {
        if (hours > 10_000) throw new Error(`it gave up after ${calls} calls`);
        await vi.advanceTimersByTimeAsync(3_600_000);
        await new Promise((done) => setImmediate(done));
      }
      uploader.stop();
      expect(calls).toBe(64);
      expect(await readdir(folder)).toHaveLength(10);
    } finally {
      vi.useRealTimers();
    }
  });
});
