import { beforeAll, describe, expect, test } from "vitest";
import { parseMasking } from "../../../core/masking/config.ts";
import { loadSqlParser } from "../../../core/policy/sql-parser.ts";
import type { Channel, ChannelEvents } from "../../../gateway-task/channel.ts";
import { READ_BYTES, takeBuffer } from "../../../gateway-task/io-buffers.ts";
import { maskedTarget } from "../../../gateway-task/postgres/masking/masked-target.ts";
import { StreamMasker } from "../../../gateway-task/postgres/masking/stream-masker.ts";
import { dataRow, message } from "../../setup/backend-bytes.ts";

const column = (name: string): Buffer => {
  const tail = Buffer.alloc(18);
  tail.writeUInt32BE(25, 6);
  return Buffer.concat([Buffer.from(`${name}\0`), tail]);
};
const DESCRIBED = message("T", Buffer.from([0, 1]), column("note"));
const ROWS = Buffer.concat(Array.from({ length: 900 }, (_, n) => dataRow(`${"x".repeat(40)} a${n}@example.com`)));
const MASKED = Buffer.concat(Array.from({ length: 900 }, () => dataRow(`${"x".repeat(40)} ****`)));

beforeAll(() => loadSqlParser());

/** A masked target whose consumer answers what it is told to; and what the reader of its bytes is answered. */
function reading(answer: boolean | Promise<void>) {
  let events: ChannelEvents | undefined;
  const target: Channel<"target"> = {
    send: () => undefined,
    isIdle: true,
    start: (given) => (events = given),
    end: () => undefined,
  };
  const masking = parseMasking(
    { detectors: [{ name: "mails", detect: "email", style: "full" }] },
    Buffer.alloc(32, 1),
  ).forConnection("shop", "test");
  const masker = new StreamMasker({
    masking,
    unmasked: false,
    catalog: undefined,
    ask: async () => [[], [], [], [], []],
  });
  const shown: Buffer[] = [];
  const consumer = (bytes: Buffer): boolean | Promise<void> => {
    shown.push(bytes);
    return answer;
  };
  maskedTarget(target, masker, () => undefined).start({ consumer, failed: () => undefined, ended: () => undefined });
  const read = (bytes: Buffer) => events?.consumer(bytes);
  void read(DESCRIBED);
  return { shown, read };
}

describe("a target whose bytes are masked", () => {
  test("is done with a chunk as soon as what is shown of it is elsewhere", async () => {
    expect(reading(true).read(ROWS)).toBe(true);
    expect(reading(false).read(ROWS)).toBe(true);
    const later = Promise.resolve();
    expect(reading(later).read(ROWS)).toBe(later);
  });

  test("is not done with a chunk that is shown as it is before that is written", () => {
    const harmless = dataRow("nothing");
    expect(reading(false).read(harmless)).toBe(false);
    expect(reading(true).read(harmless)).toBe(true);
  });

  test("keeps what is shown as it is until that is written, in chunks that were put together, too", () => {
    const rows = Buffer.concat(Array.from({ length: 1_200 }, (_, n) => dataRow(`${"y".repeat(40)} ${n}`)));
    const { shown, read } = reading(false);
    void read(rows.subarray(0, 10));
    expect(read(rows.subarray(10))).toBe(true);
    for (let n = 0; n < 40; n++) takeBuffer(READ_BYTES).fill(0x58);
    expect(shown.at(-1)?.equals(rows)).toBe(true);
  });

  test("uses the memory of what it has shown again when that is written, and not before", () => {
    const waiting = reading(false);
    for (let n = 0; n < 3; n++) void waiting.read(ROWS);
    for (let n = 0; n < 40; n++) takeBuffer(READ_BYTES).fill(0x58);
    for (const bytes of waiting.shown.slice(1)) expect(bytes.equals(MASKED)).toBe(true);
    expect(new Set(waiting.shown.map(({ buffer }) => buffer)).size).toBe(4);

    const written = reading(true);
    for (let n = 0; n < 3; n++) void written.read(ROWS);
    expect(new Set(written.shown.slice(1).map(({ buffer }) => buffer)).size).toBe(1);
  });

  test("shows rows that chunks cut anywhere whole and in order, whatever memory is used again", () => {
    const { shown, read } = reading(true);
    const parts: Buffer[] = [];
    const all = Buffer.concat([ROWS, ROWS, ROWS]);
    for (let at = 0; at < all.length; at += 61_003) {
      void read(Buffer.from(all.subarray(at, at + 61_003)));
      parts.push(Buffer.from(shown.at(-1) ?? []));
    }
    expect(Buffer.concat(parts).equals(Buffer.concat([MASKED, MASKED, MASKED]))).toBe(true);
  });
});
