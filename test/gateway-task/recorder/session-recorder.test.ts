import fs from "node:fs";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { SessionOpenedEvent } from "../../../core/recording/events.ts";
import { IntentLog, type LogFiles } from "../../../gateway-task/recorder/intent-log.ts";
import { SessionRecorder, type RecorderCore } from "../../../gateway-task/recorder/session-recorder.ts";
import { Slabs } from "../../../gateway-task/recorder/slabs.ts";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), "sallyport-recorder-"));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const opened = (durability: "intent" | "strict"): SessionOpenedEvent => ({
  type: "session-opened",
  session: "01890a5d-ac96-774b-bcce-b302099a8057",
  protocol: "postgres",
  principal: { id: "i|s", name: "alice", groups: [] },
  pass: "p",
  connection: "shop",
  target: { host: "h", port: 1, database: "d", user: "u" },
  client: "127.0.0.1:1",
  settings: {},
  durability,
  startedAt: 0,
});

/** A disk that flushes when it is told to. */
function slowDisk(): { files: LogFiles; flush(): void } {
  const waiting: (() => void)[] = [];
  const fdatasync = ((_fd: number, done: (error: null) => void) =>
    void waiting.push(() => done(null))) as unknown as typeof fs.fdatasync;
  return { files: { ...fs, fdatasync }, flush: () => waiting.splice(0).forEach((go) => go()) };
}

const core = (log: IntentLog): RecorderCore => ({ log, slabs: new Slabs({ postMessage: () => {} }), check: () => {} });
const logged = async (): Promise<string> => {
  const [segment = ""] = await readdir(directory);
  return readFile(path.join(directory, segment), "latin1");
};
const settledNow = async (promise: Promise<unknown>): Promise<boolean> => {
  const pending = Symbol("pending");
  for (let turn = 0; turn < 5; turn++) await new Promise((done) => setImmediate(done));
  return (await Promise.race([promise, Promise.resolve(pending)])) !== pending;
};

describe("a session's recorder", () => {
  it("has what is asked in the log when it gives the permit, which bears the very bytes that were asked", async () => {
    const { files } = slowDisk();
    const recorder = new SessionRecorder(core(new IntentLog(directory, files)), opened("intent"));
    const bytes = Buffer.from("select 'asked'");
    const permit = recorder.input(bytes);
    expect(permit).toEqual({ bytes });
    expect(await logged()).toContain("select 'asked'");
  });

  it("stores the redacted form of what is asked, and permits the original", async () => {
    const { files } = slowDisk();
    const recorder = new SessionRecorder(core(new IntentLog(directory, files)), opened("intent"));
    const original = Buffer.from("password 'canary'");
    expect(recorder.input(original, Buffer.from("password [redacted]"))).toEqual({ bytes: original });
    expect(await logged()).not.toContain("canary");
  });

  for (const direction of ["input", "output"] as const)
    it(`with strict durability, permits ${direction} only once it is on disk`, async () => {
      const disk = slowDisk();
      const recorder = new SessionRecorder(core(new IntentLog(directory, disk.files)), opened("strict"));
      const permit = recorder[direction](Buffer.from("bytes of either side"));
      expect(permit).toBeInstanceOf(Promise);
      expect(await logged()).toContain("bytes of either side");
      expect(await settledNow(Promise.resolve<unknown>(permit))).toBe(false);
      disk.flush();
      await permit;
    });

  it("permits nothing after its end", async () => {
    const { files } = slowDisk();
    const recorder = new SessionRecorder(core(new IntentLog(directory, files)), opened("intent"));
    recorder.seal("client-closed");
    for (const direction of ["input", "output"] as const)
      expect(() => recorder[direction](Buffer.from("late"))).toThrow(
        expect.objectContaining({ code: "recording-failed" }),
      );
    expect(await logged()).not.toContain("late");
  });
});
