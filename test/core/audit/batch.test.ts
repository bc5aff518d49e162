import fc from "fast-check";
import { expect, test } from "vitest";
import { auditObjects, ndjson } from "../../../core/audit/batch.ts";
import { boundedText, flat, words } from "../../../core/audit/bounded-text.ts";
import { signedIn } from "../../../core/audit/account-events.ts";
import { type OcsfEvent, ocsfEvent } from "../../../core/audit/ocsf.ts";
import { ALICE } from "../../setup/approvals.ts";

const eventAt = (time: number, name = "Ana"): OcsfEvent =>
  ocsfEvent(signedIn({ by: { ...ALICE, name }, from: "203.0.113.7" }, "oidc", time).draft, "e", time);
const DAY_MS = 86_400_000;

test("every event of a batch stands in one object, that of its day, and keys follow from id and times alone", () => {
  const times = fc.array(fc.integer({ min: 0, max: 5 * DAY_MS }), { maxLength: 50 });
  fc.assert(
    fc.property(times, (all) => {
      const events = all.map((time) => eventAt(time));
      const objects = auditObjects({ id: "b", events });
      expect(objects.reduce((sum, object) => sum + object.events.length, 0)).toBe(all.length);
      for (const { key, events: of } of objects)
        for (const { time } of of) expect(key).toBe(`audit/date=1970-01-0${1 + Math.floor(time / DAY_MS)}/b.ndjson.gz`);
      expect(auditObjects({ id: "b", events }).map(({ key }) => key)).toEqual(objects.map(({ key }) => key));
    }),
  );
});

test("whatever a name holds, a line is one event and reads as it was written", () => {
  const names = fc.oneof(fc.string({ unit: "binary" }), fc.constantFrom("\n", "\r\n", "\u2028", "\0", '"', "\ud800"));
  fc.assert(
    fc.property(fc.array(names, { minLength: 1, maxLength: 70 }), (all) => {
      const events = all.map((name) => eventAt(0, name));
      const lines = Buffer.from([...ndjson(events)].join(""))
        .toString("utf8")
        .split("\n");
      expect(lines.pop()).toBe("");
      expect(lines.map((line) => JSON.parse(line) as OcsfEvent)).toEqual(JSON.parse(JSON.stringify(events)));
    }),
  );
});

test("texts are bounded, and end with whole characters", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme", minLength: 500, maxLength: 20_000, size: "max" }), (text) => {
      for (const [kept, limit] of [
        [words(text), 1_024],
        [boundedText(text).text, 16_384],
        [flat({ text })["text"] ?? "", 1_024],
      ] as const) {
        expect(kept.length).toBeLessThanOrEqual(limit);
        expect(text.startsWith(kept)).toBe(true);
        expect(kept.isWellFormed()).toBe(text.isWellFormed());
        if (text.length <= limit) expect(kept).toBe(text);
      }
    }),
    { numRuns: 30 },
  );
});
