import { createHash, createHmac, pbkdf2, randomBytes, timingSafeEqual, type X509Certificate } from "node:crypto";
import { promisify } from "node:util";
import { SallyportError } from "../../core/errors.ts";

/**
 * SCRAM-SHA-256 and SCRAM-SHA-256-PLUS as a client (RFC 5802, RFC 7677, channel binding tls-server-end-point of RFC 5929 §4).
 */
export interface ScramStart {
  readonly mechanism: "SCRAM-SHA-256" | "SCRAM-SHA-256-PLUS";
  readonly clientFirst: string;
  /** The answer to the server's first message, and how to check its last. */
  answer(serverFirst: string): Promise<{ clientFinal: string; verify: (serverFinal: string) => void }>;
}

/** A server that asks for more is refused: it would only burn our time. */
const MAX_ITERATIONS = 1_000_000;
const MIN_ITERATIONS = 1_000;

const deriveKey = promisify(pbkdf2);

/** PostgreSQL takes the user from the start-up message, and ignores the one here. */
const freshClient = (): ScramClient => ({ user: "", nonce: randomBytes(18).toString("base64") });

/** A client's part of an exchange; given only where it must be a certain one, as in a test. */
interface ScramClient {
  readonly user: string;
  readonly nonce: string;
}

/**
 * @param offered  the mechanisms of AuthenticationSASL
 * @param binding  hash of the server's certificate, when the connection is encrypted
 * @throws `target-refused` when no mechanism is common to both
 */
export function startScram(
  offered: readonly string[],
  password: string,
  binding: Buffer | undefined,
  { user, nonce }: ScramClient = freshClient(),
): ScramStart {
  const plus = binding !== undefined && offered.includes("SCRAM-SHA-256-PLUS");
  if (!plus && !offered.includes("SCRAM-SHA-256"))
    throw new SallyportError(
      "target-refused",
      `the target offers no SASL mechanism that we know: ${offered.join(", ")}`,
    );
  // RFC 5802 §6: `y` says that we could have bound the channel had the server offered it, which detects a downgrade.
  const gs2 = plus ? "p=tls-server-end-point,," : binding ? "y,," : "n,,";
  const bare = `n=${user},r=${nonce}`;
  const cbind = Buffer.concat([Buffer.from(gs2), plus && binding ? binding : Buffer.alloc(0)]).toString("base64");
  return {
    mechanism: plus ? "SCRAM-SHA-256-PLUS" : "SCRAM-SHA-256",
    clientFirst: gs2 + bare,
    async answer(serverFirst) {
      const { salt, iterations, serverNonce } = parseServerFirst(serverFirst, nonce);
      const salted = await deriveKey(prepare(password), salt, iterations, 32, "sha256");
      const clientKey = hmac(salted, "Client Key");
      const withoutProof = `c=${cbind},r=${serverNonce}`;
      const authMessage = `${bare},${serverFirst},${withoutProof}`;
      const signature = hmac(createHash("sha256").update(clientKey).digest(), authMessage);
      const proof = Buffer.from(clientKey.map((byte, index) => byte ^ (signature[index] ?? 0)));
      const expected = hmac(hmac(salted, "Server Key"), authMessage);
      return {
        clientFinal: `${withoutProof},p=${proof.toString("base64")}`,
        verify: (serverFinal) => checkServer(serverFinal, expected),
      };
    },
  };
}

/**
 * Hash of a certificate for tls-server-end-point: by its signature's hash, with SHA-256 for MD5 and SHA-1 (RFC 5929 §4.1).
 * Undefined where the signature names no hash of its own (Ed25519): there is then no channel binding.
 */
export function endPointBinding(certificate: X509Certificate): Buffer | undefined {
  const algorithm = (certificate.signatureAlgorithm ?? "").toLowerCase();
  const named = /sha-?(1|256|384|512)\b|md5/.exec(algorithm.replace("with", " with "));
  if (named === null) return undefined;
  const hash = named[1] === "384" || named[1] === "512" ? `sha${named[1]}` : "sha256";
  return createHash(hash).update(certificate.raw).digest();
}

/** RFC 4013 §2.1: spaces that are not ASCII's (RFC 3454 table C.1.2), and what is mapped to nothing (B.1). */
const SPACES = /[\u00A0\u1680\u2000-\u200B\u202F\u205F\u3000]/g;
const NOTHINGS = /\u00AD|\u034F|\u1806|[\u180B-\u180D]|\u200C|\u200D|\u2060|[\uFE00-\uFE0F]|\uFEFF/g;
/** RFC 4013 §2.3 and §2.5: what a prepared string must not contain. */
const PROHIBITED =
  /[\p{Cc}\p{Co}\p{Cn}\u06DD\u070F\u180E\u200E\u200F\u2028-\u202E\u2061-\u2063\u206A-\u206F\u2FF0-\u2FFB\uFFF9-\uFFFD\u{1D173}-\u{1D17A}\u{E0001}\u{E0020}-\u{E007F}]/u;

/** SASLprep (RFC 4013) but for its rules on writing directions: like PostgreSQL, what cannot be prepared is taken as it is. */
function prepare(password: string): string {
  const prepared = password.replace(SPACES, " ").replace(NOTHINGS, "").normalize("NFKC");
  return prepared === "" || PROHIBITED.test(prepared) ? password : prepared;
}

function parseServerFirst(text: string, nonce: string): { salt: Buffer; iterations: number; serverNonce: string } {
  const [, serverNonce = "", salt = "", count = ""] =
    /^r=([^,]+),s=([A-Za-z0-9+/=]+),i=(\d{1,9})(?:,|$)/.exec(text) ?? [];
  const iterations = Number(count);
  if (!serverNonce.startsWith(nonce) || serverNonce === nonce) throw untrusted("its nonce is not built on ours");
  if (iterations < MIN_ITERATIONS || iterations > MAX_ITERATIONS) throw untrusted(`it asks for ${count} iterations`);
  return { salt: Buffer.from(salt, "base64"), iterations, serverNonce };
}

function checkServer(serverFinal: string, expected: Buffer): void {
  const [, signature = ""] = /^v=([A-Za-z0-9+/=]+)/.exec(serverFinal) ?? [];
  const given = Buffer.from(signature, "base64");
  if (given.length !== expected.length || !timingSafeEqual(given, expected))
    throw untrusted("it does not know the password that it asked for");
}

function untrusted(why: string): SallyportError {
  return new SallyportError("target-untrusted", `the target's SCRAM exchange is wrong: ${why}`);
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest();
}
