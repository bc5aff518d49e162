import { describe, expect, test } from "vitest";
import type { TextFacts } from "../../../gateway-task/postgres/facts-reader.ts";
import {
  type NamedText,
  protocolName,
  sqlName,
  StatementNames,
} from "../../../gateway-task/postgres/statement-names.ts";

/** Texts that differ in what they do. */
const [one, other, third] = [0, 1, 2].map((): NamedText => ({ facts: [] as TextFacts, held: undefined })) as [
  NamedText,
  NamedText,
  NamedText,
];
/** The log-in's ReadyForQuery, and those of so many cycles. */
const readies = (cycles: number): number => 1 + cycles;

describe("what a name may stand for", () => {
  test("is what its last Parse said, once the cycle of that has ended without an error", () => {
    const names = new StatementNames();
    names.ask("s", one, { asked: 0, errors: 0 });
    names.settle(readies(1), 0);
    names.ask("s", other, { asked: 1, errors: 0 });
    expect(names.mayBe("s", 2)).toEqual([one, other]);
    names.settle(readies(2), 0);
    expect(names.mayBe("s", 2)).toEqual([other]);
  });

  test("is within one cycle the last Parse alone: what follows one that fails is skipped", () => {
    const names = new StatementNames();
    names.ask("s", one, { asked: 0, errors: 0 });
    names.ask("s", other, { asked: 0, errors: 0 });
    expect(names.mayBe("s", 0)).toEqual([other]);
    expect(names.mayBe("s", 1)).toHaveLength(1 + 1);
  });

  test("stays what it may have been where any error came, whosever it was", () => {
    const names = new StatementNames();
    names.ask("s", one, { asked: 0, errors: 0 });
    names.settle(readies(1), 0);
    names.ask("s", other, { asked: 1, errors: 0 });
    names.settle(readies(2), 1);
    expect(names.mayBe("s", 9)).toEqual([one, other]);
    names.ask("s", undefined, { asked: 2, errors: 1 });
    names.settle(readies(3), 2);
    expect(names.mayBe("s", 9)).toEqual([one, other]);
  });

  test("is nothing after a Close that is certain, and not before", () => {
    const names = new StatementNames();
    names.ask("s", one, { asked: 0, errors: 0 });
    names.ask("s", undefined, { asked: 1, errors: 0 });
    names.settle(readies(1), 0);
    expect(names.mayBe("s", 2)).toEqual([one]);
    names.settle(readies(2), 0);
    expect(names.mayBe("s", 2)).toEqual([]);
  });

  test("includes what SQL may make of it at some time, until a Parse of it is certain", () => {
    const names = new StatementNames();
    names.suppose("s", one);
    names.suppose("s", other);
    expect(names.mayBe("s", 0)).toEqual([one, other]);
    names.ask("s", third, { asked: 0, errors: 0 });
    names.settle(readies(1), 0);
    expect(names.mayBe("s", 1)).toEqual([third]);
  });

  test("is bounded: names, texts of a name, and what the server has not answered", () => {
    const names = new StatementNames();
    for (let at = 0; names.hasRoomFor(`n${at}`); at++) names.suppose(`n${at}`, one);
    expect(names.hasRoomFor("n0")).toBe(true);
    for (let at = 0; names.hasRoomFor("n0"); at++) names.suppose("n0", { facts: [] as TextFacts, held: undefined });
    expect(names.mayBe("n0", 0).length).toBeLessThanOrEqual(16);
    expect([...names.all()].length).toBeLessThanOrEqual(10_016);
  });
});

test("names are those by which the server looks them up: 63 bytes, whatever they mean", () => {
  const long = "é".repeat(40);
  expect(sqlName(long)).toBe(protocolName(Buffer.from(`P....${long}x\0`), 5));
  expect(protocolName(Buffer.from("n".repeat(63) + "a\0"), 0)).toBe(
    protocolName(Buffer.from("n".repeat(63) + "b\0"), 0),
  );
  expect(protocolName(Buffer.from([0xff, 0]), 0)).not.toBe(protocolName(Buffer.from([0xfe, 0]), 0));
  expect(protocolName(Buffer.from("cut"), 0)).toBe("cut");
});

test("names are asked about so far ahead of the server, and no further, by closing as by preparing", () => {
  const names = new StatementNames();
  for (let n = 0; n < 20_000; n++) names.ask("s", undefined, { asked: 0, errors: 0 });
  expect([names.isFull, names.hasRoomFor("t")]).toEqual([true, false]);
  names.settle(readies(1), 0);
  expect([names.isFull, names.hasRoomFor("t")]).toEqual([false, true]);
});
