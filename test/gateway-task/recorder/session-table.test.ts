import { describe, expect, it } from "vitest";
import { SessionTable } from "../../../gateway-task/recorder/session-table.ts";

/** Ids at offset 3 of a buffer, of which the last four bytes are the same. */
const [one, two, three] = ["a", "b", "c"].map((letter) => Buffer.from(`...${letter.repeat(12)}tail`)) as [
  Buffer,
  Buffer,
  Buffer,
];

describe("a table of sessions", () => {
  it("tells apart sessions whose ids end with the same bytes", () => {
    const table = new SessionTable<number>();
    table.set(one, 3, 1);
    table.set(two, 3, 2);
    expect([one, two, three].map((id) => table.get(id, 3))).toEqual([1, 2, undefined]);
    table.delete(one, 3);
    expect([one, two].map((id) => table.get(id, 3))).toEqual([undefined, 2]);
    table.delete(two, 3);
    expect(table.get(two, 3)).toBeUndefined();
  });

  it("keeps its ids when the buffer that they came in is used again", () => {
    const table = new SessionTable<number>();
    const buffer = Buffer.from(one);
    table.set(buffer, 3, 1);
    buffer.fill(0);
    expect(table.get(one, 3)).toBe(1);
  });

  it("replaces what belonged to the same session", () => {
    const table = new SessionTable<number>();
    table.set(one, 3, 1);
    table.set(one, 3, 2);
    expect(table.get(one, 3)).toBe(2);
  });
});
