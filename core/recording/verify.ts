import type { Digest } from "../brand.ts";
import { SallyportError } from "../errors.ts";
import type { ChunkStore } from "../ports/chunk-store.ts";
import type { SessionId } from "../ports/session-store.ts";
import type { PublicJwk } from "../ports/signer.ts";
import { toDigest } from "./chunk.ts";
import { type Manifest, readManifest } from "./manifest.ts";
import { beginning, type Position } from "./position.ts";
import { type Fault, type RecordedChunk, walkSession } from "./reader.ts";

/** What the verification of a session found. */
export interface Verification {
  readonly session: SessionId;
  /** Every byte is as it was signed: the chain holds from its first chunk to the signed head. */
  readonly ok: boolean;
  /** How far the chain holds. */
  readonly chunks: number;
  readonly frames: number;
  /** The hash of the last chunk up to which it holds; undefined where not even one does. */
  readonly head: Digest | undefined;
  /** The manifest, if its signature is valid. */
  readonly manifest: Manifest | undefined;
  /** The first thing that is wrong; undefined when `ok`. */
  readonly fault: Fault | undefined;
}

interface Manifested {
  readonly manifest?: Manifest;
  readonly fault?: Fault;
}

/**
 * Verifies a session's recording with nothing but its objects and the public keys. A session that is still live has no
 * manifest, and so is never `ok`. Throws only what the store throws.
 */
export async function verifySession(
  store: ChunkStore,
  session: SessionId,
  publicKeys: readonly PublicJwk[],
): Promise<Verification> {
  const manifested = await manifestOf(store, session, publicKeys);
  const { manifest } = manifested;
  const chunks = walkSession(store, session, { seal: manifest });
  let end = beginning(session);
  let walked: IteratorResult<RecordedChunk, Fault | undefined>;
  for (walked = await chunks.next(); !walked.done; walked = await chunks.next()) end = walked.value.next;
  const fault = faultOf(walked.value, manifested, end);
  return {
    session,
    ok: fault === undefined && manifest !== undefined,
    chunks: end.sequence,
    frames: end.firstFrame,
    head: end.sequence === 0 ? undefined : toDigest(end.previous),
    manifest,
    fault,
  };
}

/** What the gateway itself said when it sealed the session explains what stands behind the seal. */
function faultOf(walked: Fault | undefined, { manifest, fault }: Manifested, end: Position): Fault | undefined {
  const said = manifest && declared(manifest);
  if (walked !== undefined) return walked.kind === "chunk-unexpected" ? (said ?? walked) : walked;
  return fault ?? (manifest && contradiction(manifest, end)) ?? said;
}

async function manifestOf(
  store: ChunkStore,
  session: SessionId,
  publicKeys: readonly PublicJwk[],
): Promise<Manifested> {
  const jws = await store.getManifest(session);
  if (jws === undefined)
    return {
      fault: { kind: "manifest-missing", message: "there is no manifest: nothing proves where the session ends" },
    };
  const invalid = (message: string): Manifested => ({ fault: { kind: "manifest-invalid", message } });
  try {
    const manifest = await readManifest(jws, publicKeys);
    return manifest.session === session
      ? { manifest }
      : invalid(`the manifest is that of another session, ${manifest.session}`);
  } catch (thrown) {
    if (thrown instanceof SallyportError && thrown.code === "recording-corrupt") return invalid(thrown.message);
    throw thrown;
  }
}

/** Where a signed manifest and a chain that ends in its head disagree, the signer was wrong; it must not pass for proof. */
function contradiction(manifest: Manifest, end: Position): Fault | undefined {
  const agrees = manifest.frames === end.firstFrame && (end.startedAt ?? manifest.startedAt) === manifest.startedAt;
  return agrees
    ? undefined
    : { kind: "manifest-invalid", message: "the manifest contradicts the chunks that it signs" };
}

/** What the gateway itself says is missing: the chain holds, and yet it is not the whole session. */
function declared({ fault }: Manifest): Fault | undefined {
  return fault && { kind: "closed-broken", chunk: fault.chunk, message: `it was closed broken: ${fault.message}` };
}
