import { generateKeyPairSync, sign } from "node:crypto";
import type { Signer } from "../../core/ports/signer.ts";

/** A signer with a fresh key that lives in memory. */
export function memorySigner(kid = "test-key"): Signer {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const { x = "", y = "" } = publicKey.export({ format: "jwk" });
  return {
    publicKey: { kty: "EC", crv: "P-256", x, y, kid },
    sign: async (bytes) => sign("sha256", bytes, { key: privateKey, dsaEncoding: "ieee-p1363" }),
  };
}
