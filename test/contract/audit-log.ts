import { gunzipSync } from "node:zlib";
import { beforeEach, describe, expect, test } from "vitest";
import { signedIn } from "../../core/audit/account-events.ts";
import { type OcsfEvent, ocsfEvent } from "../../core/audit/ocsf.ts";
import type { PrincipalId } from "../../core/identity/principal.ts";
import type { AuditLog } from "../../core/ports/audit-log.ts";

/** An adapter, and a way to see what it has stored: names below `audit/`, with their bytes. */
export interface StoredAuditLog {
  readonly log: AuditLog;
  objects(): Promise<ReadonlyMap<string, Uint8Array>>;
}

const NOON = Date.UTC(2026, 10, 29, 12);
const MIDNIGHT = Date.UTC(2026, 10, 30);
const ANA = { kind: "user", id: "https://idp.example|ana" as PrincipalId, name: "Ana\n\u2028“Ä”", groups: [] } as const;

export function auditEvent(uid: string, time = NOON): OcsfEvent {
  return ocsfEvent(signedIn({ by: ANA, from: "203.0.113.7" }, "oidc", time).draft, uid, time);
}

/** The events of an object, as whoever reads line by line gets them. */
export function linesOf(bytes: Uint8Array | undefined): OcsfEvent[] {
  const text = gunzipSync(bytes ?? Buffer.alloc(0)).toString("utf8");
  const lines = text.split("\n");
  if (lines.pop() !== "") throw new Error("the last line does not end");
  return lines.map((line) => JSON.parse(line) as OcsfEvent);
}

/** What every adapter of the port does. `open` gives an empty log. */
export function auditLogContract(name: string, open: () => Promise<StoredAuditLog>): void {
  describe(`the audit log on ${name}`, () => {
    let stored: StoredAuditLog;
    beforeEach(async () => {
      stored = await open();
    });

    test("writes a batch as one object of compressed lines, in the partition of its day", async () => {
      const events = [auditEvent("a"), auditEvent("b"), auditEvent("c")];
      await stored.log.append({ id: "batch-1", events });
      const objects = await stored.objects();
      expect([...objects.keys()]).toEqual(["audit/date=2026-11-29/batch-1.ndjson.gz"]);
      expect(linesOf([...objects.values()][0])).toEqual(events);
    });

    test("writes a batch in which midnight lies as an object for each day, of that day's events alone", async () => {
      const [before, at] = [auditEvent("a", MIDNIGHT - 1), auditEvent("b", MIDNIGHT)];
      await stored.log.append({ id: "batch-2", events: [before, at] });
      const objects = await stored.objects();
      expect(linesOf(objects.get("audit/date=2026-11-29/batch-2.ndjson.gz"))).toEqual([before]);
      expect(linesOf(objects.get("audit/date=2026-11-30/batch-2.ndjson.gz"))).toEqual([at]);
      expect(objects.size).toBe(2);
    });

    test("writes a batch once, however often and by however many it is tried, and the first stays", async () => {
      const batch = { id: "batch-3", events: [auditEvent("a")] };
      await Promise.all([stored.log.append(batch), stored.log.append(batch), stored.log.append(batch)]);
      await stored.log.append({ id: "batch-3", events: [auditEvent("other")] });
      const objects = await stored.objects();
      expect(objects.size).toBe(1);
      expect(linesOf([...objects.values()][0])).toEqual(batch.events);
    });

    test("writes what is missing of a batch of which a part is there", async () => {
      const [before, at] = [auditEvent("a", MIDNIGHT - 1), auditEvent("b", MIDNIGHT)];
      await stored.log.append({ id: "batch-4", events: [before] });
      await stored.log.append({ id: "batch-4", events: [before, at] });
      expect((await stored.objects()).size).toBe(2);
    });

    test("writes nothing for a batch without events", async () => {
      await stored.log.append({ id: "batch-5", events: [] });
      expect((await stored.objects()).size).toBe(0);
    });

    test("refuses an id that would lead elsewhere, and events of no day", async () => {
      for (const id of ["", "../x", "a/b", "a b", "-a", "ä", "a".repeat(101), "a\n"])
        await expect(stored.log.append({ id, events: [auditEvent("a")] }), id).rejects.toMatchObject({
          code: "bad-request",
        });
      for (const time of [Number.NaN, -1, Infinity, 1e15])
        await expect(stored.log.append({ id: "a", events: [{ ...auditEvent("a"), time }] })).rejects.toMatchObject({
          code: "recording-corrupt",
        });
      expect((await stored.objects()).size).toBe(0);
    });

    test("keeps a large batch whole", async () => {
      const events = Array.from({ length: 5_000 }, (_, n) => auditEvent(`event-${n}`));
      await stored.log.append({ id: "large", events });
      expect(linesOf([...(await stored.objects()).values()][0])).toEqual(events);
    });
  });
}
