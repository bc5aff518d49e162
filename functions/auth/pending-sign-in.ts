import { hkdfSync } from "node:crypto";
import { EncryptJWT, jwtDecrypt } from "jose";
import { z } from "zod";
import type { Instant } from "../../core/brand.ts";

/** Time to type a password and a second factor. */
export const PENDING_LIFETIME_MS = 10 * 60 * 1000;

const pendingSignIn = z.object({
  state: z.string().min(1),
  nonce: z.string().min(1),
  verifier: z.string().min(1),
  returnTo: z.string().min(1),
});

/** What the browser that started a sign-in must bring back (RFC 6749 §10.12, RFC 7636 §4.1, OpenID Connect Core §3.1.2.1). */
export type PendingSignIn = z.infer<typeof pendingSignIn>;

const ALGORITHMS = { alg: "dir", enc: "A256GCM" } as const;
const AUDIENCE = "sallyport-pending-sign-in";

/** @returns a compact JWE for a cookie: the browser can neither read nor change it */
export function sealPending(tokenKey: Uint8Array, pending: PendingSignIn, now: Instant): Promise<string> {
  return new EncryptJWT({ ...pending })
    .setProtectedHeader(ALGORITHMS)
    .setAudience(AUDIENCE)
    .setExpirationTime(Math.floor((now + PENDING_LIFETIME_MS) / 1000))
    .encrypt(sealingKey(tokenKey));
}

/** What was sealed; undefined for anything that we did not seal, or that is too old. */
export async function openPending(
  tokenKey: Uint8Array,
  sealed: string,
  now: Instant,
): Promise<PendingSignIn | undefined> {
  try {
    const { payload } = await jwtDecrypt(sealed, sealingKey(tokenKey), {
      audience: AUDIENCE,
      currentDate: new Date(now),
      keyManagementAlgorithms: [ALGORITHMS.alg],
      contentEncryptionAlgorithms: [ALGORITHMS.enc],
    });
    return pendingSignIn.parse(payload);
  } catch {
    return undefined;
  }
}

/** A key of its own (RFC 5869): no key signs and encrypts. */
function sealingKey(tokenKey: Uint8Array): Uint8Array {
  return new Uint8Array(hkdfSync("sha256", tokenKey, "", AUDIENCE, 32));
}
