import fs from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { SallyportError } from "../../../core/errors.ts";
import { IntentLog, type LogFiles } from "../../../gateway-task/recorder/intent-log.ts";
import type { Recorder } from "../../../gateway-task/recorder/recorder.ts";
import { SessionRecorder } from "../../../gateway-task/recorder/session-recorder.ts";
import { LEASE_LOST_MS } from "../../../gateway-task/recorder/spool-lease.ts";
import { Slabs } from "../../../gateway-task/recorder/slabs.ts";
import { openedEvent, opening } from "../../setup/make-recording.ts";
import { recorderStage, type RecorderStage } from "../../setup/recorder.ts";
import { sessionIdAt } from "../../setup/session-ids.ts";

let stage: RecorderStage;
let recorder: Recorder;
const unhandled: unknown[] = [];
const note = (reason: unknown): void => void unhandled.push(reason);

beforeEach(async () => {
  unhandled.length = 0;
  process.on("unhandledRejection", note);
  stage = await recorderStage();
});
afterEach(async () => {
  await recorder.close(1_000);
  process.off("unhandledRejection", note);
  await stage.remove();
});

/** A disk that is full for one of the log's calls from the moment it is told so. */
function fullDisk(call: "write" | "fdatasync"): LogFiles & { full: boolean } {
  const original = fs[call] as (...args: unknown[]) => void;
  const disk = {
    ...fs,
    full: false,
    [call]: (...args: unknown[]) => {
      if (!disk.full) return original(...args);
      const done = args.at(-1) as (error: Error) => void;
      return setImmediate(() => done(Object.assign(new Error("no space left on device"), { code: "ENOSPC" })));
    },
  };
  return disk;
}

const codeOf = async (doing: () => unknown): Promise<string | undefined> => {
  try {
    await doing();
    return undefined;
  } catch (error) {
    return (error as SallyportError).code;
  }
};

describe("a recorder whose disk fails", () => {
  it("refuses a statement of several records, and the process lives on", async () => {
    const disk = fullDisk("write");
    recorder = await stage.start("task-a", { files: disk });
    const session = await stage.session(recorder);
    const sealed = await stage.session(recorder);
    disk.full = true;
    const asked = codeOf(() => session.input(Buffer.alloc(1 << 20, "x")));
    recorder.seal(sealed, "client-closed");
    expect(await asked).toBe("recording-failed");
    expect(await codeOf(() => session.input(Buffer.from("Q")))).toBe("recording-failed");
    await new Promise((done) => setImmediate(done));
    expect(unhandled).toEqual([]);
  });

  it("ends every session when the log can no longer be flushed, also those that only read", async () => {
    const disk = fullDisk("fdatasync");
    recorder = await stage.start("task-a", { files: disk });
    const failures: string[] = [];
    recorder.onFailure((error) => failures.push(error.code));
    const session = await stage.session(recorder);
    disk.full = true;
    await session.input(Buffer.from("Q"));
    await expect.poll(() => failures).toEqual(["recording-failed"]);
    expect(await codeOf(() => session.output(Buffer.from("Z")))).toBe("recording-failed");
  });

  it("takes large statements of several sessions at once, and small ones of others meanwhile", async () => {
    recorder = await stage.start("task-a");
    const large = Buffer.alloc(32 << 20, "x");
    const sessions = await Promise.all([1, 2, 3].map(async () => stage.session(recorder)));
    const asked = sessions.map(async (session) => codeOf(() => session.input(large)));
    const other = await stage.session(recorder);
    for (let count = 0; count < 20; count++) expect(await codeOf(() => other.input(Buffer.from("Q")))).toBeUndefined();
    expect(await Promise.all(asked)).toEqual([undefined, undefined, undefined]);
  });

  it("records a session's end although there is no room for anything else", async () => {
    recorder = await stage.start("task-a");
    const log = new IntentLog(stage.options.spool);
    const slabs = new Slabs({ postMessage: () => {} });
    let full = false;
    const core = {
      log,
      slabs,
      check(closing?: boolean) {
        if (full && closing !== true) throw new SallyportError("limit-exceeded", "full");
      },
    };
    const row = opening(sessionIdAt(Date.now()));
    const session = new SessionRecorder(core, openedEvent(row));
    full = true;
    expect(await codeOf(() => session.input(Buffer.from("Q")))).toBe("limit-exceeded");
    session.seal("limit-exceeded");
    expect(slabs.open.toString("latin1")).toContain("session-closed");
    slabs.abandon();
    await log.close(true);
  });

  it("closes although the disk never answers, and nothing goes on unrecorded after that", async () => {
    const never = { ...fs, fdatasync: (() => {}) as unknown as LogFiles["fdatasync"] };
    recorder = await stage.start("task-a", { files: never });
    const session = await stage.session(recorder);
    await recorder.close(200);
    expect(await codeOf(() => session.output(Buffer.from("Z")))).toBe("shutting-down");
    expect(await codeOf(() => session.input(Buffer.from("Q")))).toBe("shutting-down");
  });
});

describe("a task that was stopped, or whose disk stalled, for longer than its lease lasts", () => {
  let now: number;
  /** Runs in the midst of the next write to the log. */
  let midst: () => void;
  const files: LogFiles = {
    ...fs,
    writeSync: ((...args: Parameters<typeof fs.writeSync>) => {
      midst();
      return fs.writeSync(...args);
    }) as typeof fs.writeSync,
  };
  beforeEach(async () => {
    now = 1_000;
    midst = () => {};
    const leases = { ...stage.options.leases };
    recorder = await stage.start("task-a", { files, leases, monotonic: () => now });
    leases.acquire = () => new Promise(() => {}); // housekeeping finds out nothing
  });

  it("lets nothing through that came meanwhile, in either direction, and writes nothing of it", async () => {
    const session = await stage.session(recorder);
    await session.input(Buffer.from("before"));
    now += LEASE_LOST_MS;
    let written = 0;
    midst = () => void written++;
    for (const direction of ["input", "output"] as const)
      expect(await codeOf(() => session[direction](Buffer.from("after")))).toBe("recording-failed");
    expect(written).toBe(0);
  });

  it("lets nothing through whose own write took so long", async () => {
    const session = await stage.session(recorder);
    midst = () => void (now += LEASE_LOST_MS);
    expect(await codeOf(() => session.input(Buffer.from("asked")))).toBe("recording-failed");
  });
});
