import { describe, expect, test } from "vitest";
import {
  ConfirmedNames,
  newPortal,
  unknownStatement,
  type PreparedStatement,
} from "../../../gateway-task/postgres/prepared.ts";

function statement(name: string, bytes = 1): PreparedStatement {
  return { ...unknownStatement(name), asked: { text: "x".repeat(bytes), bytes: undefined, redacted: false } };
}

describe("ConfirmedNames", () => {
  test("forgets the oldest of too many statements, and of too much text", () => {
    for (const [count, bytes] of [
      [10_001, 1],
      [1_000, 64 << 10],
    ] as const) {
      const names = new ConfirmedNames();
      for (let i = 0; i < count; i++) names.parse(statement(`s${i}`, bytes));
      expect(names.statement("s0")).toBeUndefined();
      expect(names.statement(`s${count - 1}`)).toBeDefined();
      expect(names.statement(`s${count - 100}`)).toBeDefined();
    }
  });

  test("forgets nothing for statements and portals that were closed or replaced", () => {
    const names = new ConfirmedNames();
    const body = Buffer.alloc(64 << 10);
    const shape = { columns: Array.from({ length: 1_600 }, () => ({ name: "n", type: 25, format: 0 as const })), body };
    names.parse(statement("kept"));
    names.bind(newPortal("kept", undefined, undefined));
    for (let i = 0; i < 2_000; i++) {
      names.parse(statement("same", 64 << 10));
      const closed = statement(`s${i}`, 64 << 10);
      names.parse(closed);
      names.describe(closed, shape);
      names.closeStatement(`s${i}`);
      names.bind(newPortal("same", undefined, { body, compacted: false }));
      names.bind(newPortal(`p${i}`, undefined, { body, compacted: false }));
      names.closePortal(`p${i}`);
    }
    expect(names.statement("kept")).toBeDefined();
    expect(names.portal("kept")).toBeDefined();
  });

  test("forgets the oldest of too many portals, of too many bound bytes, and of too many columns", () => {
    const body = Buffer.alloc(64 << 10);
    for (const bound of [undefined, { body, compacted: false }]) {
      const names = new ConfirmedNames();
      for (let i = 0; i < 1_001; i++) names.bind(newPortal(`p${i}`, undefined, bound));
      expect(names.portal("p0")).toBeUndefined();
      expect(names.portal("p1000")).toBeDefined();
    }
    const names = new ConfirmedNames();
    const columns = Array.from({ length: 1_600 }, () => ({ name: "n", type: 25, format: 0 as const }));
    for (let i = 0; i < 500; i++) {
      names.parse(statement(`s${i}`));
      names.describe(names.statement(`s${i}`) ?? statement(""), { columns, body });
    }
    expect(names.statement("s0")).toBeUndefined();
    expect(names.statement("s499")).toBeDefined();
  });
});
