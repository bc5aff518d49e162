import { z } from "zod";

/** What the API answers, as far as the commands use it; `--json` prints these very shapes. */

export const meView = z.object({
  id: z.string(),
  kind: z.string(),
  name: z.string(),
  groups: z.array(z.string()),
  sessionExpiresAt: z.string(),
});

const connectionView = z.object({
  name: z.string(),
  protocol: z.string(),
  description: z.string(),
  host: z.string(),
  /** Null for an SSH connection while the gateway takes none; so is all that follows. */
  port: z.number().int().nullable(),
  /** Of PostgreSQL. */
  conninfo: z.string().optional(),
  /** Of SSH, and what proves the gateway there. */
  command: z.string().nullable().optional(),
  fingerprint: z.string().nullable().optional(),
  knownHosts: z.string().nullable().optional(),
});
export type ConnectionView = z.infer<typeof connectionView>;
export const connectionsView = z.object({ connections: z.array(connectionView) });

export const passView = z.object({
  id: z.string(),
  connection: z.string().nullable(),
  label: z.string(),
  issuedAt: z.string(),
  expiresAt: z.string(),
  revokedAt: z.string().nullable(),
  status: z.enum(["live", "expired", "revoked"]),
});
export const passesView = z.object({ passes: z.array(passView) });
/** The one answer that has the text of a pass. */
export const newPassView = passView.extend({ pass: z.string() });

export const endedAccessView = z.object({
  people: z.array(
    z.object({ id: z.string(), name: z.string(), endedAt: z.string(), passes: z.number(), sessions: z.number() }),
  ),
});

export const sshKeyView = z.object({
  id: z.string(),
  fingerprint: z.string(),
  type: z.string(),
  label: z.string(),
  registeredAt: z.string(),
});
/** One's keys, and what to sign with another, for which namespace of ssh-keygen, to register it. */
export const sshKeysView = z.object({ keys: z.array(sshKeyView), statement: z.string(), namespace: z.string() });
export const hostKeyView = z.object({
  /** As it stands in a file that others write: one line, of its two words. */
  publicKey: z.string().regex(/^[a-z0-9@.-]+ [A-Za-z0-9+/]+={0,2}$/),
  fingerprint: z.string(),
  knownHosts: z.string(),
});

export const sessionView = z.object({
  id: z.string(),
  protocol: z.string(),
  connection: z.string(),
  principal: z.object({ id: z.string(), name: z.string() }),
  actors: z.array(z.string()).default([]),
  pass: z.string(),
  client: z.string(),
  task: z.string(),
  startedAt: z.string(),
  live: z.boolean(),
  endedAt: z.string().nullable(),
  reason: z.string().nullable(),
  statements: z.number().nullable(),
  bytesFromClient: z.number().nullable(),
  bytesFromTarget: z.number().nullable(),
  chunks: z.number().nullable(),
  head: z.string().nullable(),
});
export type SessionView = z.infer<typeof sessionView>;
export const sessionsView = z.object({ sessions: z.array(sessionView), next: z.string().nullable() });

/** The events themselves are handed on as they are. */
export const statementsView = z.object({
  statements: z.array(z.record(z.string(), z.unknown())),
  live: z.boolean(),
  next: z.number().nullable(),
});

export const eventsView = z.object({
  events: z.array(z.record(z.string(), z.unknown())),
  live: z.boolean(),
  next: z.number().nullable(),
});

export const verificationView = z.object({
  live: z.boolean(),
  session: z.string(),
  ok: z.boolean(),
  chunks: z.number(),
  frames: z.number(),
  head: z.string().nullable().default(null),
  fault: z.object({ kind: z.string(), chunk: z.number().optional(), message: z.string() }).nullable().default(null),
});

/** A set of keys (RFC 7517 §5): those that manifests are signed with. */
export const signingKeysView = z.object({
  keys: z.array(
    z.object({ kty: z.literal("EC"), crv: z.literal("P-256"), x: z.string(), y: z.string(), kid: z.string() }),
  ),
});

export const deviceView = z.object({
  device_code: z.string(),
  user_code: z.string(),
  verification_uri: z.string(),
  verification_uri_complete: z.string().optional(),
  expires_in: z.number(),
  interval: z.number().optional(),
});
export const tokenView = z.object({ access_token: z.string(), expires_in: z.number() });
export const tokenRefusalView = z.object({ error: z.string(), error_description: z.string().optional() });

const named = z.object({ id: z.string(), name: z.string() });
export const approvalView = z.object({
  id: z.string(),
  kind: z.enum(["statement", "connect", "command"]),
  status: z.string(),
  requester: named,
  actors: z.array(z.string()).default([]),
  connection: z.string(),
  environment: z.string(),
  client: z.string(),
  session: z.string().nullable(),
  shown: z.string(),
  digest: z.string(),
  policyVersion: z.string(),
  policies: z.array(z.string()),
  reason: z.string(),
  consents: z.array(z.object({ group: z.string(), count: z.number() })),
  answers: z.array(z.object({ by: named, consents: z.boolean(), words: z.string(), at: z.string() })),
  requestedAt: z.string(),
  expiresAt: z.string(),
  decidedAt: z.string().nullable(),
  closed: z.object({ at: z.string(), by: named.nullable() }).nullable(),
  may: z.object({ decide: z.boolean(), cancel: z.boolean(), revoke: z.boolean() }),
});
export type ApprovalView = z.infer<typeof approvalView>;
export const approvalsView = z.object({ approvals: z.array(approvalView), next: z.string().nullable() });

export const configurationVersionView = z.object({ version: z.string(), by: z.string(), at: z.string() });
