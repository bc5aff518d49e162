import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FRAME_KIND, writeFrameHeader } from "../../../core/recording/frame.ts";
import { MARK, RECORD_HEADER_BYTES, sealRecord, sessionKey } from "../../../gateway-task/recorder/journal-record.ts";
import { spooledRecords } from "../../../gateway-task/recorder/spooled-records.ts";
import { sessionIdAt } from "../../setup/session-ids.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "sallyport-log-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

function recordOf(number: number, bytes: number): Buffer {
  const record = Buffer.alloc(RECORD_HEADER_BYTES + bytes, number & 0xff);
  record.writeUInt32LE(number, 4);
  sessionKey(sessionIdAt(1)).copy(record, 8);
  record.writeUInt32LE(MARK.none, 24);
  writeFrameHeader(record, 28, bytes, FRAME_KIND.input, 0, 0, number);
  sealRecord(record, 0, record.length);
  return record;
}

const write = async (name: string, records: readonly Buffer[]): Promise<void> =>
  writeFile(path.join(folder, name), Buffer.concat(records));

async function numbersIn(...segments: string[]): Promise<number[]> {
  const found: number[] = [];
  for await (const { frameNumber, payload } of spooledRecords(folder, segments)) {
    expect(payload.every((byte) => byte === (frameNumber & 0xff))).toBe(true);
    found.push(frameNumber);
  }
  return found;
}

describe("the records of an intent log", () => {
  it("are read whole, wherever they stand, from the smallest to the largest", async () => {
    const sizes = [0, 1, 128 << 10, 1 << 20, 7, 1 << 20, 1 << 20, 65_536, 3];
    await write("0", sizes.map((size, at) => recordOf(at, size))); // prettier-ignore
    expect(await numbersIn("0")).toEqual(sizes.map((_, at) => at));
  });

  it.each([1, RECORD_HEADER_BYTES - 1, RECORD_HEADER_BYTES + 5, 3 << 20])(
    "end at a tail that was torn (%i bytes of it), and go on in the next segment",
    async (bytes) => {
      await write("0", [recordOf(0, 10), Buffer.alloc(bytes, 0xee)]);
      await write("1", [recordOf(1, 10)]);
      expect(await numbersIn("0", "1")).toEqual([0, 1]);
    },
  );

  it("end before a record of which one bit was changed", async () => {
    const changed = recordOf(1, 100);
    changed.writeUInt8(changed.readUInt8(80) ^ 1, 80);
    await write("0", [recordOf(0, 10), changed, recordOf(2, 10)]);
    expect(await numbersIn("0")).toEqual([0]);
  });

  it("are read in the memory of a few, however many there are", async () => {
    const segment = Array.from({ length: 128 }, (_, at) => recordOf(at, 128 << 10));
    const names = ["0", "1", "2", "3"];
    for (const name of names) await write(name, segment);
    segment.length = 0;
    const held = (): number => process.memoryUsage().arrayBuffers;
    const before = held();
    let most = 0;
    let count = 0;
    for await (const _ of spooledRecords(folder, names)) {
      count++;
      most = Math.max(most, held() - before);
    }
    expect(count).toBe(4 * 128);
    expect(most).toBeLessThan(8 << 20);
  });
});
