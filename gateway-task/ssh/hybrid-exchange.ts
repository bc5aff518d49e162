import crypto from "node:crypto";

/**
 * The key exchange `mlkem768x25519-sha256` (draft-ietf-sshm-mlkem-hybrid-kex): ML-KEM-768 beside X25519, so that what is recorded
 * today stays secret as long as either of the two holds. The client's share is an ML-KEM public key and an X25519 public key,
 * the server's is a ciphertext and an X25519 public key.
 */
export interface HybridExchange {
  /** Ours. A server has it from where it knows the secret on. */
  readonly share: Buffer;
  /**
   * The shared secret, from the peer's share. Throws where that is not one: of another length, no ML-KEM key (FIPS 203 §7.2),
   * or an X25519 point of low order, which would make the secret's half of it known to everybody (RFC 7748 §6.1).
   */
  secret(theirs: Buffer): Buffer;
}

const PUBLIC_KEY_BYTES = 1184;
const CIPHERTEXT_BYTES = 1088;
const X25519_BYTES = 32;

/** SubjectPublicKeyInfo of a raw key that follows (RFC 9935, RFC 8410). */
const ML_KEM_KEY = Buffer.from("308204b2300b0609608648016503040402038204a100", "hex");
const X25519_KEY = Buffer.from("302a300506032b656e032100", "hex");

/** Node brings ML-KEM from 24.7 on, unless it was built against an OpenSSL of before 3.5. */
export const HAS_HYBRID_EXCHANGE = hasMlKem();

export function clientExchange(): HybridExchange {
  const mlKem = crypto.generateKeyPairSync("ml-kem-768");
  const x25519 = crypto.generateKeyPairSync("x25519");
  return {
    share: Buffer.concat([raw(mlKem.publicKey, PUBLIC_KEY_BYTES), raw(x25519.publicKey, X25519_BYTES)]),
    secret(theirs) {
      const [ciphertext, point] = halves(theirs, CIPHERTEXT_BYTES);
      return combined(crypto.decapsulate(mlKem.privateKey, ciphertext), agreed(x25519.privateKey, point));
    },
  };
}

export function serverExchange(): HybridExchange {
  const x25519 = crypto.generateKeyPairSync("x25519");
  let share: Buffer = Buffer.alloc(0);
  return {
    get share() {
      return share;
    },
    secret(theirs) {
      const [key, point] = halves(theirs, PUBLIC_KEY_BYTES);
      const { sharedKey, ciphertext } = crypto.encapsulate(publicKey(ML_KEM_KEY, key));
      const secret = combined(sharedKey, agreed(x25519.privateKey, point));
      share = Buffer.concat([ciphertext, raw(x25519.publicKey, X25519_BYTES)]);
      return secret;
    },
  };
}

/** An exchange that is done: without its private keys. */
export function spent(share: Buffer): HybridExchange {
  return {
    share,
    secret() {
      throw new Error("these keys have been used");
    },
  };
}

function halves(share: Buffer, first: number): [Buffer, Buffer] {
  if (share.length !== first + X25519_BYTES) throw new Error(`a share of ${share.length} bytes`);
  return [share.subarray(0, first), share.subarray(first)];
}

/** OpenSSL refuses to derive nothing but zeros. */
function agreed(privateKey: crypto.KeyObject, point: Buffer): Buffer {
  return crypto.diffieHellman({ privateKey, publicKey: publicKey(X25519_KEY, point) });
}

function combined(mlKem: Buffer, x25519: Buffer): Buffer {
  return crypto.createHash("sha256").update(mlKem).update(x25519).digest();
}

function publicKey(prefix: Buffer, key: Buffer): crypto.KeyObject {
  return crypto.createPublicKey({ key: Buffer.concat([prefix, key]), type: "spki", format: "der" });
}

function raw(key: crypto.KeyObject, bytes: number): Buffer {
  return key.export({ type: "spki", format: "der" }).subarray(-bytes);
}

function hasMlKem(): boolean {
  try {
    const { publicKey: key } = crypto.generateKeyPairSync("ml-kem-768");
    return crypto.encapsulate(key).sharedKey.length > 0;
  } catch {
    return false;
  }
}
