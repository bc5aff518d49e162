import { compactVerify, type CompactJWSHeaderParameters } from "jose";
import { z } from "zod";
import { SallyportError } from "../errors.ts";
import type { SessionClosing, SessionId, SessionOpening } from "../ports/session-store.ts";
import type { PublicJwk, Signer } from "../ports/signer.ts";
import { isSessionId } from "./session-id.ts";

/** Why a recording ends before the session did: from this chunk on the chain was lost. */
export interface ManifestFault {
  readonly chunk: number;
  readonly message: string;
}

/** What a session was, and the head of its hash chain, signed when it closes. */
export interface Manifest extends Omit<SessionOpening, "id">, SessionClosing {
  readonly format: 1;
  readonly session: SessionId;
  /** The gateway's own frames, those included that a dead gateway had counted but not written. */
  readonly frames: number;
  /** The gateway that closed it found it broken, and could not make it whole. */
  readonly fault?: ManifestFault;
}

/** The `typ` of a manifest's JWS (RFC 7515 §4.1.9): a signature over anything else of ours is no manifest. */
const MANIFEST_TYPE = "sallyport-manifest+jws";
const ALGORITHM = "ES256";
/** A manifest is about a kilobyte. */
const MAX_MANIFEST_CHARACTERS = 64 << 10;

const count = z.number().int().nonnegative();

const schema = z.object({
  format: z.literal(1),
  session: z.string().refine(isSessionId),
  protocol: z.enum(["postgres", "ssh"]),
  connection: z.string(),
  principalId: z.string(),
  principalName: z.string(),
  actors: z.array(z.string()).readonly().optional(),
  passId: z.string(),
  client: z.string(),
  task: z.string(),
  startedAt: count,
  endedAt: count,
  reason: z.string(),
  statements: count,
  bytesFromClient: count,
  bytesFromTarget: count,
  chunks: count,
  frames: count,
  head: z.string().regex(/^[0-9a-f]{64}$/),
  fault: z.object({ chunk: count, message: z.string() }).optional(),
});

const encode = (bytes: Uint8Array | string): string => Buffer.from(bytes).toString("base64url");

/** The manifest as a compact JWS (RFC 7515 §3.1), signed with ES256. */
export async function signManifest(manifest: Manifest, signer: Signer): Promise<string> {
  const header = { alg: ALGORITHM, kid: signer.publicKey.kid, typ: MANIFEST_TYPE };
  const signed = `${encode(JSON.stringify(header))}.${encode(JSON.stringify(schema.parse(manifest)))}`;
  return `${signed}.${encode(await signer.sign(Buffer.from(signed)))}`;
}

function corrupt(why: string, cause?: unknown): SallyportError {
  return new SallyportError("recording-corrupt", `the manifest ${why}`, { cause });
}

/** base64url has spellings that decode to the same bytes; ours is the one that encoding gives. */
function isCanonical(part: string): boolean {
  return encode(Buffer.from(part, "base64url")) === part;
}

function keyOf({ kid, typ }: CompactJWSHeaderParameters, publicKeys: readonly PublicJwk[]): PublicJwk {
  if (typ !== MANIFEST_TYPE) throw corrupt("is a signature over something else");
  const key = publicKeys.find((candidate) => candidate.kid === kid);
  if (!key) throw corrupt("was signed by a key that is not among the public keys given");
  return key;
}

/**
 * The manifest in a compact JWS, after its signature has been verified with the key that it names among `publicKeys`.
 * Throws `recording-corrupt`.
 */
export async function readManifest(jws: string, publicKeys: readonly PublicJwk[]): Promise<Manifest> {
  if (jws.length > MAX_MANIFEST_CHARACTERS || !jws.split(".").every(isCanonical)) throw corrupt("is not one");
  let payload: unknown;
  try {
    const verified = await compactVerify(jws, (header) => ({ ...keyOf(header, publicKeys) }), {
      algorithms: [ALGORITHM],
    });
    payload = JSON.parse(Buffer.from(verified.payload).toString("utf8"));
  } catch (thrown) {
    throw thrown instanceof SallyportError ? thrown : corrupt("has no valid signature", thrown);
  }
  const manifest = schema.safeParse(payload);
  if (!manifest.success) throw corrupt("lacks what a manifest has", manifest.error);
  return manifest.data as Manifest;
}
