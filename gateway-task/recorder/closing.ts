import type { SessionOpenedEvent } from "../../core/recording/events.ts";
import { type ManifestFault, signManifest } from "../../core/recording/manifest.ts";
import type { ChunkStore } from "../../core/ports/chunk-store.ts";
import type {
  CloseReason,
  SessionClosing,
  SessionId,
  SessionOpening,
  SessionStore,
} from "../../core/ports/session-store.ts";
import type { PassId } from "../../core/ports/pass-store.ts";
import type { PrincipalId } from "../../core/identity/principal.ts";
import type { Signer } from "../../core/ports/signer.ts";
import type { Digest, Instant } from "../../core/brand.ts";
import type { SessionTotals } from "./session-packer.ts";

export interface EvidenceStores {
  readonly chunks: ChunkStore;
  /** What has ended it never forgets. */
  readonly sessions: Pick<SessionStore, "open" | "close" | "get" | "list">;
  readonly signer: Signer;
}

/** The row of the index that a session's first event amounts to. */
export function openingOf(opened: SessionOpenedEvent, task: string): SessionOpening {
  return {
    id: opened.session as SessionId,
    protocol: opened.protocol,
    connection: opened.connection,
    principalId: opened.principal.id as PrincipalId,
    principalName: opened.principal.name,
    ...(opened.principal.actors === undefined ? {} : { actors: opened.principal.actors as PrincipalId[] }),
    passId: opened.pass as PassId,
    client: opened.client,
    task,
    startedAt: opened.startedAt,
  };
}

interface Ended {
  readonly opening: SessionOpening;
  readonly endedAt: Instant;
  readonly reason: CloseReason;
  readonly totals: SessionTotals;
  readonly chunks: number;
  /** The hash of the last chunk. */
  readonly head: Digest;
  /** What is lost of it, where it cannot be made whole. */
  readonly fault?: ManifestFault | undefined;
}

/**
 * Closes a session whose chunks are all in the store: signs the manifest over the head of the chain, stores it, and
 * updates the index. Idempotent, so that a crash in between is mended by doing it again.
 */
export async function closeSession(stores: EvidenceStores, ended: Ended): Promise<void> {
  const { opening, totals, fault } = ended;
  const closing: SessionClosing = {
    endedAt: ended.endedAt,
    reason: ended.reason,
    statements: totals.statements,
    bytesFromClient: totals.bytesFromClient,
    bytesFromTarget: totals.bytesFromTarget,
    chunks: ended.chunks,
    head: ended.head,
  };
  if ((await stores.chunks.getManifest(opening.id)) === undefined) {
    const { id, ...rest } = opening;
    const manifest = { format: 1 as const, session: id, ...rest, ...closing, frames: totals.frames };
    const signed = signManifest(fault === undefined ? manifest : { ...manifest, fault }, stores.signer);
    await stores.chunks.putManifest(id, await signed);
  }
  // The index may have failed when the session opened, or the task have died before it could tell it.
  if ((await stores.sessions.get(opening.id)) === undefined) await stores.sessions.open(opening);
  await stores.sessions.close(opening.id, closing);
}
