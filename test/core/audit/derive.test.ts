import { describe, expect, test } from "vitest";
import { auditEventsOf, chunkBatchId, openingIn } from "../../../core/audit/derive.ts";
import type { OcsfEvent } from "../../../core/audit/ocsf.ts";
import { decodeChunk } from "../../../core/recording/chunk.ts";
import type { SessionEvent } from "../../../core/recording/events.ts";
import { event, makeChunks, openedEvent, opening, statement } from "../../setup/make-recording.ts";
import { sessionIdAt } from "../../setup/session-ids.ts";
import { faultsOf } from "./ocsf-schema.ts";

const ROW = opening(sessionIdAt(1_800_000_000_000));
const OPENED = openedEvent(ROW);
const SSH_OPENED = openedEvent(ROW, { protocol: "ssh", target: { host: "web-1.internal", port: 22, user: "deploy" } });

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

const VERDICT = {
  type: "verdict",
  about: "statement",
  kind: "hold",
  policies: ["destruction/0"],
  policyVersion: "v1",
  reason: "deletes in production need the DBA",
  approval: "a1",
  digest: "d".repeat(64),
  shown: "DELETE FROM orders",
  consents: [{ group: "dba", count: 2 }],
  expiresAt: 1_800_000_600_000,
} as const satisfies SessionEvent;

const COMMAND = {
  type: "command-ended",
  number: 1,
  channel: 1,
  via: "exec",
  text: "cat /etc/passwd",
  askedAt: 10,
  duration: 5_000,
  outcome: "exited",
  status: 0,
  stdin: 1,
  stdout: 20,
  stderr: 3,
} as const satisfies SessionEvent;

const FILE = {
  type: "file",
  channel: 1,
  via: "sftp",
  operation: "write",
  path: "/srv/app/notes.txt",
  status: "ok",
  written: { bytes: 7, sha256: "a".repeat(64) },
  askedAt: 1,
  duration: 900,
} as const satisfies SessionEvent;

/** One of every kind that a recording can hold, plain and as it is when refused, failed or cut. */
const POSTGRES: readonly SessionEvent[] = [
  OPENED,
  { ...OPENED, unrecordedBy: "base/3", masking: { version: "m1", unmaskedBy: "base/4" } },
  statement(),
  statement({ outcome: "refused", text: "DROP TABLE orders", message: "no", sqlstate: "42501" }),
  statement({ outcome: "unknown", text: "", bytes: 99_999_999 }),
  statement({
    copied: { direction: "out", bytes: 12 },
    tag: "COPY 3",
    parameters: [{ type: 25, value: "a@b.example" }],
  }),
  VERDICT,
  { type: "verdict", about: "connect", kind: "block", policies: [], policyVersion: "v1", reason: "" },
  { type: "approval", approval: "a1", outcome: "granted", by: [{ id: "i|bo", name: "Bo", words: "ok" }], digest: "d" },
  { type: "approval", approval: "a1", outcome: "expired", by: [], digest: "d" },
  { type: "masked", values: { email: 3, iban: 1 } },
  { type: "cancel-requested", from: "203.0.113.7:1" },
  { type: "gap", frames: 3, message: "lost" },
  { type: "error", severity: "FATAL", sqlstate: "57P01", message: "terminating" },
  { type: "error", severity: "FATAL", sqlstate: "", message: "" },
  { type: "session-closed", reason: "client-closed" },
  { type: "session-closed", reason: "recording-failed", message: "the disk is full" },
];
const SSH: readonly SessionEvent[] = [
  SSH_OPENED,
  COMMAND,
  { ...COMMAND, outcome: "refused", via: "shell", text: "", message: "not allowed" },
  { ...COMMAND, type: "command-started", program: { name: "scp", direction: "to-target", path: "/tmp" } },
  { ...COMMAND, type: "command-started", refused: true, terminal: { term: "xterm", columns: 80, rows: 24 } },
  FILE,
  { ...FILE, operation: "opendir", path: "/", written: undefined, status: "no such file" },
  { ...FILE, operation: "rename", path: "", to: "b", refused: true, status: "refused", message: "by policy" },
  {
    type: "channel-opened",
    channel: 1,
    kind: "direct-tcpip",
    by: "client",
    to: { host: "db", port: 5432 },
    askedAt: 1,
  },
  { type: "channel-opened", channel: 1, kind: "x11", by: "target", askedAt: 1, refused: true },
  { type: "channel-opened", channel: 1, kind: "session", by: "client", askedAt: 1, failed: { code: 1, message: "no" } },
  {
    type: "channel-closed",
    channel: 1,
    kind: "session",
    openedAt: 0,
    duration: 9,
    by: "client",
    fromClient: 1,
    toClient: 2,
  },
  { type: "forward-listening", host: "localhost", port: 8080, outcome: "done" },
  { type: "forward-listening", path: "/run/x", outcome: "refused" },
  { type: "forward-cancelled", host: "localhost", port: 8080, outcome: "failed" },
  { type: "signal", channel: 1, signal: "TERM" },
  { type: "signal", channel: 1, signal: "KILL", refused: true },
  { type: "not-followed", message: "too much at once" },
  { ...VERDICT, about: "command", shown: "rm -rf /srv" },
  { type: "masked", values: { email: 1 } },
  { type: "session-closed", reason: "interrupted" },
];

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
