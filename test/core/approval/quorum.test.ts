import fc from "fast-check";
import { expect, test } from "vitest";
import { quorumMet } from "../../../core/approval/quorum.ts";

const group = fc.constantFrom("a", "b", "c");
const consents = fc.array(fc.record({ group, count: fc.integer({ min: 1, max: 2 }) }), { minLength: 1, maxLength: 3 });
const people = fc.array(fc.record({ groups: fc.uniqueArray(group) }), { maxLength: 5 });

/** By trying every way to seat people. */
function bySearch(places: readonly string[], free: readonly { readonly groups: readonly string[] }[]): boolean {
  const [place, ...rest] = places;
  if (place === undefined) return true;
  return free.some((one, at) => one.groups.includes(place) && bySearch(rest, free.toSpliced(at, 1)));
}

test("a quorum is met exactly when every consent can be given by a person of its own", () => {
  fc.assert(
    fc.property(consents, people, (asked, given) => {
      const places = asked.flatMap(({ group: name, count }) => Array.from({ length: count }, () => name));
      expect(quorumMet(asked, given)).toBe(bySearch(places, given));
    }),
    { numRuns: 2_000 },
  );
});

test("one person in two groups stands for one of them, whichever serves best", () => {
  const asked = ["dba", "security"].map((name) => ({ group: name, count: 1 }));
  const both = { groups: ["dba", "security"] };
  expect(quorumMet(asked, [both])).toBe(false);
  expect(quorumMet(asked, [both, { groups: ["dba"] }])).toBe(true);
  expect(quorumMet(asked, [both, { groups: ["security"] }])).toBe(true);
  expect(quorumMet(asked, [{ groups: ["dba"] }, { groups: ["dba"] }])).toBe(false);
});

test("more people than needed do no harm, and nothing asked is nothing granted", () => {
  const many = Array.from({ length: 5 }, () => ({ groups: ["dba"] }));
  expect(quorumMet([{ group: "dba", count: 2 }], many)).toBe(true);
  expect(quorumMet([], many)).toBe(false);
  expect(quorumMet([{ group: "dba", count: 0 }], many)).toBe(false);
});
