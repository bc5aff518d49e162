import { hkdfSync } from "node:crypto";
import { EncryptJWT, jwtDecrypt } from "jose";
import type { z } from "zod";
import type { Instant } from "../../core/brand.ts";

const ALGORITHMS = { alg: "dir", enc: "A256GCM" } as const;

/** Something that a browser keeps for us and can neither read nor change. */
export interface Sealing<T> {
  /** @returns a compact JWE for a cookie */
  seal(tokenKey: Uint8Array, value: T, now: Instant): Promise<string>;
  /** What was sealed; undefined for anything that we did not seal for this purpose, or that is too old. */
  open(tokenKey: Uint8Array, sealed: string, now: Instant): Promise<T | undefined>;
}

/** @param purpose names what is sealed: nothing that was sealed for one purpose opens for another */
export function sealing<T extends Record<string, unknown>>(
  purpose: string,
  schema: z.ZodType<T>,
  lifetimeMs: number,
): Sealing<T> {
  return {
    seal: (tokenKey, value, now) =>
      new EncryptJWT({ ...value })
        .setProtectedHeader(ALGORITHMS)
        .setAudience(purpose)
        .setExpirationTime(Math.floor((now + lifetimeMs) / 1000))
        .encrypt(sealingKey(tokenKey, purpose)),
    open: async (tokenKey, sealed, now) => {
      try {
        const { payload } = await jwtDecrypt(sealed, sealingKey(tokenKey, purpose), {
          audience: purpose,
          currentDate: new Date(now),
          keyManagementAlgorithms: [ALGORITHMS.alg],
          contentEncryptionAlgorithms: [ALGORITHMS.enc],
        });
        return schema.parse(payload);
      } catch {
        return undefined;
      }
    },
  };
}

/** A key of its own (RFC 5869): no key signs and encrypts. */
function sealingKey(tokenKey: Uint8Array, purpose: string): Uint8Array {
  return new Uint8Array(hkdfSync("sha256", tokenKey, "", purpose, 32));
}
