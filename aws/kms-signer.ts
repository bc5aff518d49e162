import { GetPublicKeyCommand, type KMSClient, SignCommand } from "@aws-sdk/client-kms";
import { createHash, createPublicKey, type KeyObject, verify } from "node:crypto";
import { calculateJwkThumbprint } from "jose";
import { SallyportError } from "../core/errors.ts";
import type { PublicJwk, Signer } from "../core/ports/signer.ts";
import { answered } from "./answered.ts";
import { ecdsaFromDer } from "./ecdsa-der.ts";

/**
 * Signs with a KMS key ECC_NIST_P256: only the SHA-256 of what is signed leaves the process, and the private key never leaves KMS.
 * The public key is read once; its id is its RFC 7638 thumbprint, as of a key in a file. Throws `configuration-invalid` for another
 * kind of key, `store-unavailable` where KMS does not answer.
 * @param keyId the key's ARN
 */
export async function kmsSigner(client: KMSClient, keyId: string): Promise<Signer> {
  const key = await publicKeyOf(client, keyId);
  const publicKey = await publicJwk(keyId, key);
  return {
    publicKey,
    sign: (bytes) =>
      answered("sign", async (abortSignal) => {
        const command = new SignCommand({
          KeyId: keyId,
          Message: createHash("sha256").update(bytes).digest(),
          MessageType: "DIGEST",
          SigningAlgorithm: "ECDSA_SHA_256",
        });
        const { Signature } = await client.send(command, { abortSignal });
        const signature = ecdsaFromDer(Signature ?? new Uint8Array());
        // A signature that nobody can verify is found now, not by an auditor in ten years.
        if (!signature || !verify("sha256", bytes, { key, dsaEncoding: "ieee-p1363" }, signature))
          throw new SallyportError(
            "store-unavailable",
            "KMS gave a signature that the key's public half does not verify",
          );
        return signature;
      }),
  };
}

function invalid(keyId: string, why: string, cause?: unknown): SallyportError {
  return new SallyportError("configuration-invalid", `the signing key ${keyId} ${why}`, {
    cause,
    hint: "It must be a KMS key of the spec ECC_NIST_P256 that is made to sign and verify.",
  });
}

function publicKeyOf(client: KMSClient, keyId: string): Promise<KeyObject> {
  return answered("read the signing key's public half", async (abortSignal) => {
    const answer = await client
      .send(new GetPublicKeyCommand({ KeyId: keyId }), { abortSignal })
      .catch((cause: unknown) => {
        if (cause instanceof Error && cause.name === "NotFoundException") throw invalid(keyId, "is not there", cause);
        throw cause;
      });
    const { PublicKey, KeyUsage } = answer;
    if (KeyUsage !== "SIGN_VERIFY" || !PublicKey) throw invalid(keyId, "is not made to sign");
    try {
      return createPublicKey({ key: Buffer.from(PublicKey), format: "der", type: "spki" });
    } catch (cause) {
      throw invalid(keyId, "has no public half that can be read", cause);
    }
  });
}

async function publicJwk(keyId: string, key: KeyObject): Promise<PublicJwk> {
  if (key.asymmetricKeyType !== "ec") throw invalid(keyId, "is not a P-256 key");
  const { kty, crv, x, y } = key.export({ format: "jwk" });
  if (kty !== "EC" || crv !== "P-256" || !x || !y) throw invalid(keyId, "is not a P-256 key");
  return { kty, crv, x, y, kid: await calculateJwkThumbprint({ kty, crv, x, y }, "sha256") };
}
