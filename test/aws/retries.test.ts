import { expect, it } from "vitest";
import { pacing } from "../../aws/retries.ts";

it("paces a client after throttles, keeps nobody waiting for more than 300 ms, and forgets it in ten seconds", () => {
  let now = 0;
  const pace = pacing(() => now);
  for (let n = 0; n < 100; n++) expect(pace.turn()).toBe(0);
  for (now = 1; now < 2_000; now += 300) pace.throttled();
  const turns = Array.from({ length: 100 }, () => pace.turn());
  expect(Math.max(...turns)).toBe(300);
  expect(turns.filter((turn) => turn === 300).length).toBeGreaterThan(50);
  now += 11_000;
  pace.turn();
  for (let n = 0; n < 100; n++) expect(pace.turn()).toBe(0);
});
