import fs from "node:fs";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { SallyportError } from "../../../core/errors.ts";
import { IntentLog, type LogFiles } from "../../../gateway-task/recorder/intent-log.ts";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), "sallyport-intent-"));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const written = async (): Promise<string> => {
  const segments = (await readdir(directory)).toSorted();
  return (await Promise.all(segments.map((name) => readFile(path.join(directory, name), "latin1")))).join("");
};

/** A disk whose flushes hang until they are let go. */
function stallingDisk(): LogFiles & { release(): void } {
  const hanging: (() => void)[] = [];
  return {
    ...fs,
    fdatasync: ((_fd: number, done: (error: null) => void) =>
      void hanging.push(() => done(null))) as typeof fs.fdatasync,
    release: () => {
      for (const go of hanging.splice(0)) go();
    },
  };
}

const failing = (call: keyof LogFiles, from: number): LogFiles => {
  let calls = 0;
  const original = fs[call] as (...args: unknown[]) => unknown;
  const broken = (...args: unknown[]): unknown => {
    if (++calls < from) return original(...args);
    const error = Object.assign(new Error("no space left on device"), { code: "ENOSPC" });
    const done = args.at(-1);
    if (typeof done !== "function") throw error;
    return queueMicrotask(() => (done as (error: Error) => void)(error));
  };
  return { ...fs, [call]: broken };
};

const record = (text: string): [Buffer, number, number, number] => [Buffer.from(text), 0, text.length, 0];

describe("the intent log", () => {
  it("has a statement in its file when append returns", async () => {
    const log = new IntentLog(directory);
    expect(log.append(...record("select 1;"))).toBeUndefined();
    expect(await written()).toBe("select 1;");
    await log.close(false);
  });

  it("may have its buffer used again as soon as append returns, also while the disk stalls", async () => {
    const disk = stallingDisk();
    const log = new IntentLog(directory, disk);
    const flushed = log.flushed();
    await new Promise((done) => setTimeout(done, 300)); // longer than STALL_MS
    const buffer = Buffer.from("first;");
    const first = log.append(buffer, 0, 6, 0);
    buffer.write("other;");
    const second = log.append(buffer, 0, 6, 0);
    expect([first, second]).toEqual([expect.any(Promise), expect.any(Promise)]);
    await Promise.all([first, second]);
    expect(await written()).toBe("first;other;");
    disk.release();
    await flushed;
  });

  it("flushes what was appended without being asked", async () => {
    let flushes = 0;
    const counting: LogFiles = {
      ...fs,
      fdatasync: ((fd: number, done: fs.NoParamCallback) => {
        flushes++;
        fs.fdatasync(fd, done);
      }) as typeof fs.fdatasync,
    };
    const log = new IntentLog(directory, counting);
    for (let round = 0; round < 100; round++) void log.append(...record("x"));
    await expect.poll(() => flushes).toBe(1);
    await log.close(false);
  });

  it("keeps the order of small records behind large ones", async () => {
    const log = new IntentLog(directory);
    const large = "L".repeat(100_000);
    const appended = [log.append(...record(large)), log.append(...record("s1;")), log.append(...record("s2;"))];
    for (const append of appended) await append;
    expect(await written()).toBe(`${large}s1;s2;`);
    await log.close(false);
  });

  it("resolves flushed() only when every earlier segment is on disk too", async () => {
    const synced = new Set<number>();
    const opened: number[] = [];
    const watching: LogFiles = {
      ...fs,
      openSync: (...args: Parameters<typeof fs.openSync>) => {
        const fd = fs.openSync(...args);
        opened.push(fd);
        return fd;
      },
      fdatasync: ((fd: number, done: fs.NoParamCallback) => {
        synced.add(fd);
        fs.fdatasync(fd, done);
      }) as typeof fs.fdatasync,
    };
    const log = new IntentLog(directory, watching);
    const piece = Buffer.alloc(30 << 10, "x");
    for (let bytes = 0; bytes <= 17 << 20; bytes += piece.length) await log.append(piece, 0, piece.length, 0);
    await log.flushed();
    expect(opened.length).toBe(2);
    expect([...synced]).toEqual(expect.arrayContaining(opened));
    await log.close(false);
  });

  it("deletes a segment only when the slab that repeats its end has been stored", async () => {
    const log = new IntentLog(directory);
    const piece = Buffer.alloc(30 << 10, "x");
    for (let bytes = 0; bytes <= 17 << 20; bytes += piece.length) await log.append(piece, 0, piece.length, 7);
    log.release(6);
    await log.flushed();
    expect((await readdir(directory)).length).toBe(2);
    log.release(7);
    await expect.poll(async () => (await readdir(directory)).length).toBe(1);
    await log.close(true);
    expect(await readdir(directory)).toEqual([]);
  });

  for (const call of ["writeSync", "write", "fdatasync"] as const)
    it(`fails closed when ${call} fails: it says so, and takes nothing more`, async () => {
      const log = new IntentLog(directory, failing(call, 2));
      const append = async (): Promise<void> => {
        await log.append(...record(call === "write" ? "y".repeat(100_000) : "y"));
        await log.flushed();
      };
      await append();
      const failure = await append().catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(SallyportError);
      expect((failure as SallyportError).code).toBe("recording-failed");
      expect(() => log.append(...record("z"))).toThrow(expect.objectContaining({ code: "recording-failed" }));
      expect(await written()).not.toContain("z");
      await log.close(false);
    });

  it("refuses, rather than hoards, more than its bound while the disk stalls", async () => {
    const never: LogFiles = { ...fs, write: (() => {}) as unknown as typeof fs.write };
    const log = new IntentLog(directory, never);
    const piece = Buffer.alloc(1 << 20);
    const fill = (): void => {
      for (let count = 0; count < 100; count++) void log.append(piece, 0, piece.length, 0)?.catch(() => {});
    };
    expect(fill).toThrow(expect.objectContaining({ code: "recording-failed" }));
  });
});
