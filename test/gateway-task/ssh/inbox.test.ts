import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Inbox } from "../../../gateway-task/ssh/inbox.ts";
import { u32 } from "../../setup/ssh-bytes.ts";

/** As it crosses the wire: a length in the clear, what was encrypted, a tag. */
const packet = (length: number): Buffer => Buffer.concat([u32(length), randomBytes(length + 16)]);

/** What a leg's inbox hands on of these bytes, read in pieces that end here. */
function handedOn(wire: Buffer, ends: readonly number[]): Buffer[] {
  const pieces: Buffer[] = [];
  const inbox = new Inbox((bytes, from, to) => void pieces.push(Buffer.from(bytes.subarray(from, to))));
  const reused = Buffer.alloc(wire.length);
  let at = 0;
  for (const end of [...ends.filter((one) => one < wire.length).toSorted((a, b) => a - b), wire.length]) {
    wire.copy(reused, 0, at, end);
    inbox.push(reused.subarray(0, end - at));
    reused.fill(0xee); // as the next read would
    at = end;
  }
  return pieces;
}

/** Whether it consists of whole packets. */
function isWhole(bytes: Buffer): boolean {
  let at = 0;
  while (at + 4 <= bytes.length) at += 4 + bytes.readUInt32BE(at) + 16;
  return at === bytes.length;
}

describe("the inbox of a leg", () => {
  test("hands on the same bytes in whole packets, wherever a read ends", () => {
    const lengths = fc.array(fc.integer({ min: 16, max: 34_000 }), { minLength: 1, maxLength: 8 });
    const ends = fc.array(fc.nat(280_000), { maxLength: 40 });
    fc.assert(
      fc.property(lengths, ends, (all, cuts) => {
        const wire = Buffer.concat(all.map(packet));
        const pieces = handedOn(wire, cuts);
        expect(Buffer.concat(pieces).equals(wire)).toBe(true);
        expect(pieces.every(isWhole)).toBe(true);
      }),
    );
  });

  test("hands on the same where bytes come one at a time", () => {
    const wire = Buffer.concat([packet(16), packet(32), packet(512)]);
    const pieces = handedOn(wire, [...wire.keys()]);
    expect(pieces.map(({ length }) => length)).toEqual([36, 52, 532]);
    expect(Buffer.concat(pieces)).toEqual(wire);
  });

  test("keeps no more of what claims to be four gigabytes than the largest packet", () => {
    const wire = Buffer.concat([Buffer.alloc(4, 0xff), randomBytes(200_000)]);
    const pieces = handedOn(wire, [3, 1_000, 30_000, 100_000]);
    expect(pieces[0]?.length).toBeLessThanOrEqual(35_000);
    expect(Buffer.concat(pieces).equals(wire.subarray(0, Buffer.concat(pieces).length))).toBe(true);
  });
});
