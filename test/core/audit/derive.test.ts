import { describe, expect, test } from "vitest";
import { auditEventsOf, chunkBatchId, openingIn } from "../../../core/audit/derive.ts";
import type { OcsfEvent } from "../../../core/audit/ocsf.ts";
import { decodeChunk } from "../../../core/recording/chunk.ts";
import type { SessionEvent } from "../../../core/recording/events.ts";
import { event, makeChunks, statement } from "../../setup/make-recording.ts";
import { sessionIdAt } from "../../setup/session-ids.ts";
import { faultsOf } from "./ocsf-schema.ts";
import { COMMAND, FILE, OPENED, POSTGRES, ROW, SSH, SSH_OPENED, VERDICT } from "./samples.ts";

/** What a recording of these events comes to, each as it is parsed from its line. */
function derived(events: readonly SessionEvent[], opened = OPENED): OcsfEvent[] {
  const [bytes] = makeChunks(ROW, [events.map((told, at) => event(told, at * 1_000))]);
  const found = [...auditEventsOf(decodeChunk(bytes ?? Buffer.alloc(0)), opened)];
  return found.map((each) => JSON.parse(JSON.stringify(each)) as OcsfEvent);
}
const one = (told: SessionEvent, opened = OPENED): OcsfEvent => {
  const [found] = derived([told], opened);
  if (found === undefined) throw new Error("nothing was derived");
  return found;
};

describe("what a session's recording says, in OCSF 1.8.0", () => {
  test("has what its class requires, and nothing that the schema does not know", () => {
    for (const [events, opened, uid] of [
      [POSTGRES, OPENED, 6005],
      [SSH, SSH_OPENED, 4007],
    ] as const) {
      const found = derived(events, opened);
      expect(found).toHaveLength(events.length);
      for (const each of found) {
        expect(faultsOf(each), JSON.stringify(each)).toEqual([]);
        expect(each.class_uid).toBe(uid);
        expect(each.metadata.correlation_uid).toBe(ROW.id);
      }
    }
  });

  test("says of every event who, from where, by which pass, and to what", () => {
    for (const told of derived(POSTGRES)) {
      expect(told.actor).toEqual({
        user: { uid: ROW.principalId, name: "Ana", credential_uid: "pass-1", groups: [{ name: "engineers" }] },
        session: { uid: ROW.id, created_time: ROW.startedAt },
      });
      expect(told.src_endpoint).toEqual({ ip: "203.0.113.7", port: 50_123 });
      expect(told.dst_endpoint).toEqual({ hostname: "db.internal", port: 5432, svc_name: "shop" });
      expect(told.database).toEqual({ name: "shop", type_id: 1, type: "Relational" });
    }
  });

  test("says of a service what it is, and who acted for it", () => {
    const principal = { ...OPENED.principal, kind: "service" as const, actors: ["https://idp.example|agent"] };
    const told = one({ ...OPENED, principal }, { ...OPENED, principal });
    expect(told).toMatchObject({
      actor: { user: { type_id: 4 } },
      unmapped: { actors: "https://idp.example|agent" },
    });
    expect(faultsOf(told)).toEqual([]);
  });

  test("of an address of IPv6 names address and port, and of what is no address makes none", () => {
    for (const [client, endpoint] of [
      ["2001:db8::1:50123", { ip: "2001:db8::1", port: 50_123 }],
      ["[2001:db8::1]:50123", { ip: "2001:db8::1", port: 50_123 }],
      ["", { name: "unknown" }],
      ["somewhere:else", { name: "somewhere:else" }],
      ["203.0.113.7:99999", { name: "203.0.113.7:99999" }],
    ] as const)
      expect(one(statement(), { ...OPENED, client }).src_endpoint).toEqual(endpoint);
  });

  test("tells a statement with its text, tag, rows, outcome and SQLSTATE, at its time and with its duration", () => {
    const told = one(statement({ number: 7, outcome: "failed", sqlstate: "42P01", message: "no such table", rows: 0 }));
    expect(told).toMatchObject({
      activity_name: "Query",
      status: "Failure",
      status_code: "42P01",
      status_detail: "no such table",
      query_info: { uid: "7", query_string: "SELECT 1" },
      unmapped: { number: "7", outcome: "failed", rows: "0", tag: "SELECT 1", via: "simple" },
      time: ROW.startedAt,
      start_time: ROW.startedAt + 1,
      duration: 3,
    });
  });

  test("names what a statement did by its tag, or by its first word where it has none", () => {
    for (const [over, name] of [
      [{ tag: "SELECT 3" }, "Query"],
      [{ tag: "INSERT 0 1" }, "Write"],
      [{ tag: "UPDATE 1" }, "Update"],
      [{ tag: "DELETE 5" }, "Delete"],
      [{ tag: "CREATE TABLE" }, "Create"],
      [{ tag: "DROP TABLE" }, "Delete"],
      [{ tag: "COPY 3", copied: { direction: "in", bytes: 1 } }, "Write"],
      [{ tag: "COPY 3", copied: { direction: "out", bytes: 1 } }, "Read"],
      [{ tag: "BEGIN" }, "Statement"],
      [{ tag: undefined, text: " delete from orders" }, "Delete"],
      [{ tag: undefined, text: "/* SELECT */ DROP TABLE t" }, "Statement"],
      [{ tag: undefined, text: "constructor" }, "Statement"],
      [{ tag: undefined, text: "" }, "Statement"],
    ] as const)
      expect(one({ ...statement(), ...over }).activity_name, JSON.stringify(over)).toBe(name);
  });

  test("keeps the values of bound parameters to the recording", () => {
    const told = one(statement({ parameters: [{ type: 25, value: "ana@shop.example" }] }));
    expect(told.unmapped).toMatchObject({ parameters: "1" });
    expect(JSON.stringify(told)).not.toContain("ana@shop.example");
  });

  test("tells a hold with its policies, its digest, what was shown and whose consent it takes", () => {
    const told = one(VERDICT);
    expect(told).toMatchObject({
      activity_name: "Hold",
      action: "Held",
      disposition: "Delayed",
      authorizations: [{ decision: "hold", policy: { uid: "destruction/0", version: "v1" } }],
      query_info: { query_string: "DELETE FROM orders" },
      unmapped: { approval: "a1", asks: "2 of dba", digest: "d".repeat(64) },
    });
    expect(one({ ...VERDICT, about: "command" }, SSH_OPENED).unmapped).toMatchObject({ command: "DELETE FROM orders" });
  });

  test("tells a block as denied, a grant as approved with those who gave it, and how many values were masked", () => {
    expect(one({ ...VERDICT, kind: "block" })).toMatchObject({
      action_id: 2,
      disposition: "Blocked",
      severity: "Medium",
    });
    expect(one(POSTGRES[8] ?? OPENED)).toMatchObject({ disposition: "Approved", unmapped: { by: "i|bo" } });
    expect(one({ type: "masked", values: { email: 3, iban: 1 } })).toMatchObject({
      action: "Modified",
      unmapped: { masked: "4", "masked.email": "3", "masked.iban": "1" },
    });
  });

  test("tells a command with its text, its exit and its bytes, and a file with its hash", () => {
    expect(one({ ...COMMAND, status: 2 }, SSH_OPENED)).toMatchObject({
      status: "Failure",
      status_code: "2",
      traffic: { bytes: 24, bytes_in: 1, bytes_out: 23 },
      unmapped: { command: "cat /etc/passwd", "exit.status": "2", via: "exec" },
    });
    expect(one(FILE, SSH_OPENED)).toMatchObject({
      activity_name: "Traffic",
      file: {
        name: "notes.txt",
        path: "/srv/app/notes.txt",
        hashes: [{ algorithm: "SHA-256", value: "a".repeat(64) }],
      },
      traffic: { bytes: 7, bytes_in: 7, bytes_out: 0 },
    });
  });

  test("cuts a text that is too long to be looked through, between characters, and says how long it was", () => {
    for (const [text, kept] of [
      ["x".repeat(20_000), 16_384],
      [`${"x".repeat(16_383)}😀`, 16_383],
    ] as const) {
      const told = one(statement({ text }));
      expect(told.query_info?.query_string).toBe("x".repeat(kept));
      expect(told.metadata).toMatchObject({ is_truncated: true, untruncated_size: Buffer.byteLength(text) });
    }
    const cut = one(statement({ text: "SELECT", bytes: 5_000_000 }));
    expect(cut.metadata).toMatchObject({ is_truncated: true, untruncated_size: 5_000_000 });
    const command = one({ ...COMMAND, text: "y".repeat(20_000) }, SSH_OPENED);
    expect(command.unmapped?.["command"]).toBe("y".repeat(16_384));
  });

  test("leaves the talk between client and target to the recording", () => {
    const talk: SessionEvent[] = [
      { type: "notice", severity: "NOTICE", sqlstate: "00000", message: "hello" },
      { type: "notification", processId: 1, channel: "c", payload: "p" },
      { type: "window-changed", channel: 1, columns: 1, rows: 1 },
      { type: "environment", channel: 1, name: "TOKEN", value: "t", redacted: true },
      { type: "channel-opened", channel: 1, kind: "session", by: "client", askedAt: 0 },
    ];
    expect(derived(talk)).toEqual([]);
  });
});

describe("the events of a chunk", () => {
  test("have ids of their own, and the same ones whenever they are derived", () => {
    const first = derived(POSTGRES).map(({ metadata }) => metadata.uid);
    expect(new Set(first).size).toBe(first.length);
    expect(derived(POSTGRES).map(({ metadata }) => metadata.uid)).toEqual(first);
    expect(first[0]).toBe(`${chunkBatchId(ROW.id, 0)}-0`);
  });

  test("are not read with the opening of another session", () => {
    const other = { ...OPENED, session: sessionIdAt(1_800_000_000_001) };
    expect(() => derived([statement()], other)).toThrow(expect.objectContaining({ code: "recording-corrupt" }));
  });

  test("find how the session opened in its first chunk, and nowhere else", () => {
    const chunks = makeChunks(ROW, [[event(OPENED)], [event(statement())]]).map(decodeChunk);
    const [first, second] = chunks;
    expect(first && openingIn(first)).toEqual(OPENED);
    expect(() => second && openingIn(second)).toThrow(expect.objectContaining({ code: "recording-corrupt" }));
  });
});
