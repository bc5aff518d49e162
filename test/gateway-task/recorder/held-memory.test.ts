import { describe, expect, it } from "vitest";
import { HeldMemory } from "../../../gateway-task/recorder/held-memory.ts";

/** Sessions by name, which hold what the test says and nothing once they have let go. */
function stage(limit: number, names: readonly string[]) {
  const overdrawn: string[] = [];
  const memory = new HeldMemory<string>(limit, (name) => overdrawn.push(name));
  const held = new Map<string, number>();
  for (const name of names) {
    memory.add(name, {
      get held() {
        return held.get(name) ?? 0;
      },
      forget: () => void held.delete(name),
    });
  }
  return {
    memory,
    overdrawn,
    hold: (name: string, bytes: number): void => {
      held.set(name, bytes);
      memory.touch(name);
    },
  };
}

describe("the memory that sessions hold together", () => {
  it("is left alone up to the bound", () => {
    const { memory, overdrawn, hold } = stage(100, ["a", "b"]);
    hold("a", 40);
    hold("b", 60);
    memory.settle();
    expect(overdrawn).toEqual([]);
  });

  it("over the bound is let go by those that hold the most, one after the other, until the rest fits", () => {
    const { memory, overdrawn, hold } = stage(100, ["a", "b", "c", "d"]);
    for (const [name, bytes] of Object.entries({ a: 10, b: 90, c: 20, d: 95 })) hold(name, bytes);
    memory.settle();
    expect(overdrawn).toEqual(["d", "b"]);
  });

  it("takes many small shares of one person from none of the others for as long as theirs are larger", () => {
    const names = Array.from({ length: 50 }, (_, n) => `greedy-${n}`);
    const { memory, overdrawn, hold } = stage(100, [...names, "modest"]);
    hold("modest", 1);
    for (const name of names) {
      hold(name, 3);
      memory.settle();
    }
    expect(overdrawn).not.toContain("modest");
    expect(overdrawn.length).toBeGreaterThan(0);
  });

  it("counts sessions that have shrunk, and those that are gone, no more", () => {
    const { memory, overdrawn, hold } = stage(100, ["a", "b", "c"]);
    hold("a", 100);
    memory.settle();
    hold("a", 10);
    hold("b", 90);
    memory.settle();
    memory.remove("b");
    hold("c", 90);
    memory.settle();
    expect(overdrawn).toEqual([]);
  });

  it("does not go round for ever where nobody can let go of anything", () => {
    const memory = new HeldMemory<string>(1, () => {});
    memory.add("a", { held: 0, forget: () => {} });
    memory.add("stubborn", { held: 5, forget: () => {} });
    memory.touch("stubborn");
    memory.settle();
  });
});
