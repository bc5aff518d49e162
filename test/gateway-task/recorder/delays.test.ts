import fs from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { IntentLog, type LogFiles } from "../../../gateway-task/recorder/intent-log.ts";
import { RECORD_HEADER_BYTES } from "../../../gateway-task/recorder/journal-record.ts";
import { Slabs } from "../../../gateway-task/recorder/slabs.ts";

/** Timers that the test moves: what is asserted is which of them come before which, not how fast a machine is. */
beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] }));
afterEach(() => void vi.useRealTimers());

describe("how long what was recorded may wait", () => {
  it("for the flush of the intent log: 50 ms from the first record that is not on disk, however many follow", async () => {
    const directory = await mkdtemp(path.join(tmpdir(), "sallyport-delays-"));
    let flushes = 0;
    const answered = (_: number, done: (error: null) => void): void => {
      flushes++;
      done(null);
    };
    const log = new IntentLog(directory, { ...fs, fdatasync: answered as LogFiles["fdatasync"] });
    for (let round = 1; round <= 3; round++) {
      for (let passed = 0; passed < 50; passed += 10) {
        void log.append(Buffer.from("record"), 0, 6, 0);
        vi.advanceTimersByTime(10);
      }
      expect(flushes).toBeGreaterThanOrEqual(round);
    }
    vi.advanceTimersByTime(50);
    const before = flushes;
    vi.advanceTimersByTime(10_000);
    expect(flushes).toBe(before); // nothing is flushed that is on disk already
    await log.close(true);
    await rm(directory, { recursive: true, force: true });
  });

  it("for the packer: 200 ms from the first frame of a slab, however many follow", () => {
    let handedOver = 0;
    const slabs = new Slabs({ postMessage: () => void handedOver++ });
    for (let round = 1; round <= 3; round++) {
      for (let passed = 0; passed < 200; passed += 20) {
        slabs.add(Buffer.alloc(RECORD_HEADER_BYTES), Buffer.from("frame"));
        vi.advanceTimersByTime(20);
      }
      expect(handedOver).toBeGreaterThanOrEqual(round);
    }
    slabs.abandon();
  });
});
