import type { SessionEvent } from "../../../core/recording/events.ts";
import { openedEvent, opening, statement } from "../../setup/make-recording.ts";
import { sessionIdAt } from "../../setup/session-ids.ts";

export const ROW = opening(sessionIdAt(1_800_000_000_000));
export const OPENED = openedEvent(ROW);
export const SSH_OPENED = openedEvent(ROW, {
  protocol: "ssh",
  target: { host: "web-1.internal", port: 22, user: "deploy" },
});

export const VERDICT = {
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

export const COMMAND = {
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

export const FILE = {
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
export const POSTGRES: readonly SessionEvent[] = [
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
export const SSH: readonly SessionEvent[] = [
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
  { type: "jump", host: "db-1.internal", port: 22, connections: ["db-1"] },
  { type: "signal", channel: 1, signal: "TERM" },
  { type: "signal", channel: 1, signal: "KILL", refused: true },
  { type: "not-followed", message: "too much at once" },
  { ...VERDICT, about: "command", shown: "rm -rf /srv" },
  { type: "masked", values: { email: 1 } },
  { type: "session-closed", reason: "interrupted" },
];
