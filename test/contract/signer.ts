import { createPublicKey, verify } from "node:crypto";
import * as fc from "fast-check";
import { calculateJwkThumbprint } from "jose";
import { describe, expect, it } from "vitest";
import type { Signer } from "../../core/ports/signer.ts";

/** What every Signer promises. */
export function signerContract(name: string, make: () => Promise<Signer>): void {
  describe(`a signer (${name})`, () => {
    it("signs any bytes with ES256: r ‖ s, 64 bytes, verifiable with the public key alone", async () => {
      const signer = await make();
      const key = createPublicKey({ key: { ...signer.publicKey }, format: "jwk" });
      const verifies = (bytes: Uint8Array, signature: Uint8Array): boolean =>
        verify("sha256", bytes, { key, dsaEncoding: "ieee-p1363" }, signature);
      await fc.assert(
        fc.asyncProperty(fc.uint8Array({ maxLength: 2_000 }), async (bytes) => {
          const signature = await signer.sign(bytes);
          expect(signature.length).toBe(64);
          expect(verifies(bytes, signature)).toBe(true);
          expect(verifies(Buffer.concat([bytes, Buffer.from([0])]), signature)).toBe(false);
        }),
        { numRuns: 25 },
      );
    });

    it("shows a public key and nothing of the private one, by its RFC 7638 thumbprint", async () => {
      const { publicKey } = await make();
      expect(Object.keys(publicKey).toSorted()).toEqual(["crv", "kid", "kty", "x", "y"]);
      expect(publicKey.kid).toBe(await calculateJwkThumbprint({ ...publicKey }, "sha256"));
    });
  });
}
