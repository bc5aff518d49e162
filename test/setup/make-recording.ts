import type { PrincipalId } from "../../core/identity/principal.ts";
import type { ChunkStore } from "../../core/ports/chunk-store.ts";
import type { PassId } from "../../core/ports/pass-store.ts";
import type { SessionClosing, SessionId, SessionOpening } from "../../core/ports/session-store.ts";
import type { Signer } from "../../core/ports/signer.ts";
import { encodeChunk, genesis, sha256, toDigest } from "../../core/recording/chunk.ts";
import type { SessionEvent, SessionOpenedEvent, StatementEvent } from "../../core/recording/events.ts";
import { FRAME_HEADER_BYTES, FRAME_KIND, type FrameKind, writeFrameHeader } from "../../core/recording/frame.ts";
import { type Manifest, signManifest } from "../../core/recording/manifest.ts";

export interface FrameSpec {
  readonly kind: FrameKind;
  readonly payload: Buffer;
  readonly micros: number;
  readonly flags: number;
}

const spec = (kind: FrameKind, payload: Buffer | string, micros: number, flags = 0): FrameSpec => ({
  kind,
  payload: Buffer.from(payload),
  micros,
  flags,
});

export const input = (payload: Buffer | string, micros = 0, flags = 0): FrameSpec =>
  spec(FRAME_KIND.input, payload, micros, flags);
export const output = (payload: Buffer | string, micros = 0): FrameSpec => spec(FRAME_KIND.output, payload, micros);
export const event = (told: SessionEvent, micros = 0): FrameSpec =>
  spec(FRAME_KIND.event, JSON.stringify(told), micros);

export function opening(id: SessionId, over: Partial<SessionOpening> = {}): SessionOpening {
  return {
    id,
    protocol: "postgres",
    connection: "shop",
    principalId: "https://issuer.example|ana" as PrincipalId,
    principalName: "Ana",
    passId: "pass-1" as PassId,
    client: "203.0.113.7:50123",
    task: "task-1",
    startedAt: 1_800_000_000_000,
    ...over,
  };
}

export function openedEvent(row: SessionOpening, over: Partial<SessionOpenedEvent> = {}): SessionOpenedEvent {
  return {
    type: "session-opened",
    session: row.id,
    protocol: row.protocol,
    principal: { id: row.principalId, name: row.principalName, groups: ["engineers"] },
    pass: row.passId,
    connection: row.connection,
    target: { host: "db.internal", port: 5432, database: "shop", user: "shop_app" },
    client: row.client,
    settings: { application_name: "psql" },
    durability: "intent",
    startedAt: row.startedAt,
    ...over,
  };
}

export function statement(over: Partial<StatementEvent> = {}): StatementEvent {
  return {
    type: "statement",
    number: 1,
    via: "simple",
    text: "SELECT 1",
    askedAt: 1_000,
    duration: 2_500,
    outcome: "completed",
    rows: 1,
    tag: "SELECT 1",
    ...over,
  };
}

function bodyOf(frames: readonly FrameSpec[]): Buffer {
  return Buffer.concat(
    frames.flatMap(({ kind, payload, micros, flags }) => {
      const header = Buffer.alloc(FRAME_HEADER_BYTES);
      writeFrameHeader(header, 0, payload.length, kind, flags, 0, micros);
      return [header, payload];
    }),
  );
}

/** The chunks of a session from the frames of each; every frame counts as the gateway's own but derived statements. */
export function makeChunks(row: SessionOpening, chunks: readonly (readonly FrameSpec[])[]): Buffer[] {
  let previous: Uint8Array = genesis(row.id);
  let firstFrame = 0;
  return chunks.map((frames, sequence) => {
    const own = frames.filter(({ kind }) => kind !== FRAME_KIND.event).length;
    const header = { session: row.id, sequence, frames: own, firstFrame, startedAt: row.startedAt, previous };
    const bytes = encodeChunk(header, bodyOf(frames));
    previous = sha256(bytes);
    firstFrame += own;
    return bytes;
  });
}

export interface MadeRecording {
  readonly chunks: readonly Buffer[];
  readonly manifest: Manifest;
  readonly closing: SessionClosing;
}

/** Stores a whole recording; with a signer its manifest too. */
export async function storeRecording(
  store: ChunkStore,
  row: SessionOpening,
  frames: readonly (readonly FrameSpec[])[],
  signer?: Signer,
): Promise<MadeRecording> {
  const chunks = makeChunks(row, frames);
  for (const [sequence, bytes] of chunks.entries())
    await store.put({ session: row.id, sequence }, bytes, toDigest(sha256(bytes)));
  const all = frames.flat();
  const size = (kind: FrameKind): number =>
    all.reduce((sum, frame) => sum + (frame.kind === kind ? frame.payload.length : 0), 0);
  const closing: SessionClosing = {
    endedAt: row.startedAt + 60_000,
    reason: "client-closed",
    statements: all.filter(({ payload }) => payload.includes('"type":"statement"')).length,
    bytesFromClient: size(FRAME_KIND.input),
    bytesFromTarget: size(FRAME_KIND.output),
    chunks: chunks.length,
    head: toDigest(sha256(chunks.at(-1) ?? Buffer.alloc(0))),
  };
  const { id, ...opened } = row;
  const own = all.filter(({ kind }) => kind !== FRAME_KIND.event).length;
  const manifest: Manifest = { format: 1, session: id, ...opened, ...closing, frames: own };
  if (signer) await store.putManifest(id, await signManifest(manifest, signer));
  return { chunks, manifest, closing };
}
