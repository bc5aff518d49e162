import { createPublicKey } from "node:crypto";
import { calculateJwkThumbprint } from "jose";
import { z } from "zod";
import { SallyportError } from "../core/errors.ts";
import type { PublicJwk } from "../core/ports/signer.ts";
import { readPublic } from "./private-files.ts";

/** What a name in the set says of a key counts for nothing: its id is its thumbprint. */
const jwk = z.object({ kty: z.literal("EC"), crv: z.literal("P-256"), x: z.string(), y: z.string() });
const jwkSet = z.union([z.object({ keys: z.array(jwk).min(1) }), jwk.transform((key) => ({ keys: [key] }))]);

function invalid(file: string, why: string, cause?: unknown): SallyportError {
  return new SallyportError("configuration-invalid", `${file} ${why}`, {
    hint: "It is a JSON Web Key Set, as `sallyport export` writes it, or a P-256 public key in PEM.",
    cause,
  });
}

/**
 * The public keys in a file: a JSON Web Key Set, a JSON Web Key, or one key in PEM. Throws `configuration-invalid`, also
 * for a private key: it is no business of who verifies.
 */
export async function readSigningKeys(file: string): Promise<PublicJwk[]> {
  const text = await readPublic(file);
  if (text === undefined) throw invalid(file, "is not there");
  if (text.includes("PRIVATE KEY")) throw invalid(file, "is a private key: verifying needs the public one");
  let given: unknown;
  try {
    given = text.includes("-----BEGIN") ? createPublicKey(text).export({ format: "jwk" }) : JSON.parse(text);
  } catch (cause) {
    throw invalid(file, "is no public key", cause);
  }
  const set = jwkSet.safeParse(given);
  if (!set.success) throw invalid(file, "is no public key that recordings are signed with", set.error);
  return Promise.all(set.data.keys.map(async (key) => ({ ...key, kid: await calculateJwkThumbprint(key, "sha256") })));
}
