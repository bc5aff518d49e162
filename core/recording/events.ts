import { z } from "zod";
import { sshEvents } from "./ssh-events.ts";

/** A bound parameter (PostgreSQL 18 §54.7 Bind): by its type's OID where that is known, 0 where it is not. */
const parameter = z.object({
  type: z.number().int(),
  /** Null for SQL NULL; text as the server would print it; `\x…` for binary values of types that we do not decode. */
  value: z.string().nullable(),
  /** Bytes on the wire, where `value` was cut. */
  bytes: z.number().int().optional(),
});

const column = z.object({ name: z.string(), type: z.number().int(), format: z.union([z.literal(0), z.literal(1)]) });

/** One statement and what became of it. Emitted when it completes, or when the session ends before it does. */
export const statement = z.object({
  type: z.literal("statement"),
  /** From 1, in the order in which the client asked. */
  number: z.number().int(),
  via: z.enum(["simple", "extended", "function-call"]),
  text: z.string(),
  /** Bytes of the statement on the wire, where `text` was cut. */
  bytes: z.number().int().optional(),
  /** Secrets in it were replaced before it was stored. */
  redacted: z.boolean().optional(),
  prepared: z.string().optional(),
  portal: z.string().optional(),
  parameters: z.array(parameter).optional(),
  /** How many were bound, where `parameters` was cut. */
  parameterCount: z.number().int().optional(),
  /** Microseconds since the session's start: when it was asked, and how long until its last reply. */
  askedAt: z.number(),
  duration: z.number().optional(),
  /** `refused`: it never reached the target; the verdict event before it says why. */
  outcome: z.enum(["completed", "failed", "suspended", "skipped", "unknown", "refused"]),
  /** DataRow messages sent to the client, or rows copied. */
  rows: z.number().int(),
  tag: z.string().optional(),
  sqlstate: z.string().optional(),
  message: z.string().optional(),
  copied: z.object({ direction: z.enum(["in", "out"]), bytes: z.number() }).optional(),
  columns: z.array(column).optional(),
  /** Where its replies stand in the stream of bytes to the client: [from, to). */
  output: z.tuple([z.number(), z.number()]).optional(),
});

const sessionOpened = z.object({
  type: z.literal("session-opened"),
  session: z.string(),
  protocol: z.enum(["postgres", "ssh"]),
  principal: z.object({
    id: z.string(),
    name: z.string(),
    groups: z.array(z.string()),
    kind: z.enum(["user", "service"]).optional(),
    actors: z.array(z.string()).optional(),
  }),
  pass: z.string(),
  connection: z.string(),
  /** `database`: of a PostgreSQL session. */
  target: z.object({ host: z.string(), port: z.number(), database: z.string().optional(), user: z.string() }),
  client: z.string(),
  /** Start-up parameters, field by field; whatever looks like a pass is replaced. */
  settings: z.record(z.string(), z.string()),
  durability: z.enum(["intent", "strict"]),
  startedAt: z.number(),
  /** The policy that exempts it from recording (`connectUnrecorded`): nothing of what is asked and shown is recorded. */
  unrecordedBy: z.string().optional(),
  /** Which rules mask its values; the client sees them all the same where a policy lets it (`viewUnmasked`). */
  masking: z.object({ version: z.string(), unmaskedBy: z.string().optional() }).optional(),
});

const notice = z.object({ type: z.literal("notice"), severity: z.string(), sqlstate: z.string(), message: z.string() });
/** An error outside any statement, such as the end of the connection by an administrator. */
const error = z.object({ type: z.literal("error"), severity: z.string(), sqlstate: z.string(), message: z.string() });
const notification = z.object({
  type: z.literal("notification"),
  processId: z.number(),
  channel: z.string(),
  payload: z.string(),
});
const cancelRequested = z.object({ type: z.literal("cancel-requested"), from: z.string() });
/** What policy said of something that it did not simply allow. It stands before what it is about. */
const verdict = z.object({
  type: z.literal("verdict"),
  about: z.enum(["statement", "connect", "command"]),
  kind: z.enum(["block", "hold"]),
  /** Ids of those that decided, of the set that `policyVersion` names. */
  policies: z.array(z.string()),
  policyVersion: z.string(),
  reason: z.string(),
  /** Of what was held: SHA-256 of its bytes, what its approvers were shown, and whose consent it takes. */
  approval: z.string().optional(),
  digest: z.string().optional(),
  shown: z.string().optional(),
  consents: z.array(z.object({ group: z.string(), count: z.number().int() })).optional(),
  expiresAt: z.number().optional(),
});
/** What became of something that was held. Where it was granted, it goes on right behind this. */
const approval = z.object({
  type: z.literal("approval"),
  approval: z.string(),
  outcome: z.enum(["granted", "denied", "expired", "cancelled"]),
  by: z.array(z.object({ id: z.string(), name: z.string(), words: z.string() })),
  digest: z.string(),
});
/** How many values each rule has masked since the event before it, by the rule's name; never what they were. */
const masked = z.object({ type: z.literal("masked"), values: z.record(z.string(), z.number().int()) });
/** Frames that a dead gateway had not yet written: their contents are lost, their number is known. */
const gap = z.object({ type: z.literal("gap"), frames: z.number().int(), message: z.string() });
const sessionClosed = z.object({
  type: z.literal("session-closed"),
  reason: z.string(),
  message: z.string().optional(),
});

/** Everything that a recording says beside the raw bytes. */
export const sessionEvent = z.discriminatedUnion("type", [
  sessionOpened,
  statement,
  notice,
  error,
  notification,
  cancelRequested,
  verdict,
  approval,
  masked,
  gap,
  sessionClosed,
  ...sshEvents,
]);

export type SessionEvent = z.infer<typeof sessionEvent>;
export type StatementEvent = z.infer<typeof statement>;
export type SessionOpenedEvent = z.infer<typeof sessionOpened>;
export type ColumnDescription = z.infer<typeof column>;
export type VerdictEvent = z.infer<typeof verdict>;
export type ApprovalEvent = z.infer<typeof approval>;
export type BoundParameter = z.infer<typeof parameter>;

/** Says that an interpreter had to let go of what it knew (`Interpreter.forget`): whoever reads the frames again does too. */
export const FORGOTTEN = {
  type: "error",
  severity: "WARNING",
  sqlstate: "54000",
  message: "the session keeps more unanswered or prepared than can be followed: outcomes are no longer known",
} as const satisfies SessionEvent;
