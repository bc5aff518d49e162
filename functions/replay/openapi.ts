import { z } from "zod";
import { sessionEvent, statement } from "../../core/recording/events.ts";
import { operation, type Paths, time } from "../openapi/operation.ts";
import {
  channelNumber,
  chunkSequence,
  pageQuery,
  rowsQuery,
  sessionsQuery,
  statementNumber,
  transcriptQuery,
} from "./queries.ts";

const ofClosed = { description: "Null while the session lives." };

const session = z
  .strictObject({
    id: z.string(),
    protocol: z.enum(["postgres", "ssh"]),
    connection: z.string(),
    principal: z.strictObject({ id: z.string(), name: z.string() }),
    actors: z.array(z.string()).meta({ description: "Who acted in the principal's place, whoever acted first." }),
    pass: z.string(),
    client: z.string(),
    task: z.string(),
    startedAt: time,
    live: z.boolean(),
    endedAt: time.nullable().meta(ofClosed),
    reason: z.string().nullable().meta(ofClosed),
    statements: z.int().nullable().meta(ofClosed),
    bytesFromClient: z.int().nullable().meta(ofClosed),
    bytesFromTarget: z.int().nullable().meta(ofClosed),
    chunks: z.int().nullable().meta(ofClosed),
    head: z.string().nullable().meta({ description: "SHA-256 of the last chunk; null while the session lives." }),
  })
  .meta({ id: "Session" });
const sessions = z.strictObject({ sessions: z.array(session), next: z.string().nullable() });

const recorded = sessionEvent.meta({ id: "SessionEvent", description: "Something that a recording tells." });
const asked = statement.meta({ id: "Statement", description: "A statement, and what became of it." });

/** How every page of a recording ends. */
const paged = {
  live: z.boolean(),
  next: z.int().nullable().meta({ description: "`after` of the next page; null where there is no more for now." }),
  cursor: z.int().meta({ description: "`after` by which to look for what a live session will record." }),
  fault: z.string().optional().meta({ description: "What is wrong with the recording behind these." }),
};
const statements = z.strictObject({ statements: z.array(asked), ...paged });
const events = z.strictObject({
  events: z.array(z.strictObject({ number: z.int(), micros: z.number(), event: recorded })),
  ...paged,
});
const frames = z.strictObject({
  frames: z.array(
    z.strictObject({
      number: z.int(),
      kind: z.enum(["input", "output", "event"]),
      micros: z.number(),
      channel: z.int(),
      flags: z.array(z.enum(["redacted", "withheld"])),
      payload: z.string().meta({ contentEncoding: "base64" }),
    }),
  ),
  ...paged,
});

const cell = z.union([z.string(), z.null(), z.strictObject({ cut: z.string(), bytes: z.int() })]);
const rows = z.strictObject({
  statement: asked,
  results: z.array(
    z.strictObject({
      kind: z.enum(["rows", "copy-out"]),
      columns: z.array(
        z.strictObject({ name: z.string(), type: z.int(), typeName: z.string(), format: z.enum(["text", "binary"]) }),
      ),
      rows: z.array(z.array(cell)),
      tag: z.string().optional(),
      error: z.string().optional(),
    }),
  ),
  incomplete: z.string().nullable().meta({ description: "Why there may be more than this." }),
});

const verification = z.strictObject({
  live: z.boolean(),
  session: z.string(),
  ok: z.boolean(),
  chunks: z.int(),
  frames: z.int(),
  head: z.string().optional(),
  manifest: z.looseObject({ format: z.int(), session: z.string() }).optional(),
  fault: z.looseObject({ kind: z.string(), chunk: z.int().optional(), message: z.string() }).optional(),
});

const signingKeys = z.strictObject({
  keys: z.array(
    z.strictObject({ kty: z.literal("EC"), crv: z.literal("P-256"), x: z.string(), y: z.string(), kid: z.string() }),
  ),
});

const byId = z.object({ id: z.string() });
const NOT_FOUND = ["not-found"] as const;
const READING = ["not-found", "recording-corrupt"] as const;

/** Sessions, and what each recorded. */
export const REPLAY_PATHS: Paths = {
  "/api/sessions": {
    get: operation({
      summary: "Sessions that I may see, newest first",
      query: sessionsQuery,
      answer: sessions,
      errors: NOT_FOUND,
    }),
  },
  "/api/sessions/{id}": { get: operation({ summary: "One session", path: byId, answer: session, errors: NOT_FOUND }) },
  "/api/sessions/{id}/statements": {
    get: operation({ summary: "Its statements", path: byId, query: pageQuery, answer: statements, errors: READING }),
  },
  "/api/sessions/{id}/statements/{number}/rows": {
    get: operation({
      summary: "The rows that a statement gave back, as they were shown",
      path: byId.extend({ number: statementNumber }),
      query: rowsQuery,
      answer: rows,
      errors: READING,
    }),
  },
  "/api/sessions/{id}/events": {
    get: operation({ summary: "Everything that it tells", path: byId, query: pageQuery, answer: events, errors: READING }), // prettier-ignore
  },
  "/api/sessions/{id}/frames": {
    get: operation({ summary: "Its raw frames", path: byId, query: pageQuery, answer: frames, errors: READING }),
  },
  "/api/sessions/{id}/transcript": {
    get: operation({
      summary: "It as text to be read",
      path: byId,
      query: transcriptQuery,
      answer: ["text/plain; charset=utf-8", undefined],
      errors: READING,
    }),
  },
  "/api/sessions/{id}/channels/{channel}/cast": {
    get: operation({
      summary: "A terminal of it as asciicast v3",
      path: byId.extend({ channel: channelNumber }),
      answer: ["application/x-asciicast", undefined],
      errors: READING,
    }),
  },
  "/api/sessions/{id}/manifest": {
    get: operation({
      summary: "Its signed manifest, a compact JWS",
      path: byId,
      answer: ["application/jose", undefined],
      errors: NOT_FOUND,
    }),
  },
  "/api/sessions/{id}/chunks/{sequence}": {
    get: operation({
      summary: "A chunk as it is stored",
      path: byId.extend({ sequence: chunkSequence }),
      answer: ["application/octet-stream", undefined],
      errors: NOT_FOUND,
    }),
  },
  "/api/sessions/{id}/verify": {
    get: operation({
      summary: "Whether every byte is as it was signed",
      path: byId,
      answer: verification,
      errors: NOT_FOUND,
    }),
  },
  "/api/signing-keys": {
    get: operation({
      summary: "The keys that manifests are signed with",
      open: true,
      answer: ["application/jwk-set+json", signingKeys],
    }),
  },
};
