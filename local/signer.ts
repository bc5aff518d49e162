import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { open } from "node:fs/promises";
import { dirname } from "node:path";
import { calculateJwkThumbprint } from "jose";
import { SallyportError } from "../core/errors.ts";
import type { PublicJwk, Signer } from "../core/ports/signer.ts";
import { makeFolder, syncFolder, systemCode, writeOnce } from "./files.ts";

const FILE_MODE = 0o600;
const FOLDER_MODE = 0o700;
/** Permissions of anyone but the owner. */
const OTHERS = 0o077;
/** A P-256 key in PKCS #8 PEM has some 240 bytes. */
const MAX_KEY_BYTES = 4 << 10;

function invalid(keyFile: string, why: string, cause?: unknown): SallyportError {
  return new SallyportError("configuration-invalid", `the signing key ${keyFile} ${why}`, { cause });
}

/** The text of the key file; undefined where there is none. */
async function readKey(keyFile: string): Promise<string | undefined> {
  let handle;
  try {
    handle = await open(keyFile, "r");
  } catch (thrown) {
    if (systemCode(thrown) === "ENOENT") return undefined;
    throw invalid(keyFile, "cannot be read", thrown);
  }
  try {
    const { mode, size } = await handle.stat();
    if ((mode & OTHERS) !== 0) throw invalid(keyFile, "can be read by others: chmod 600");
    if (size > MAX_KEY_BYTES) throw invalid(keyFile, "is too large to be one");
    return await handle.readFile("utf8");
  } finally {
    await handle.close();
  }
}

/** Makes a key. Of two processes that start at once, one writes the file and both read it. */
async function makeKey(keyFile: string): Promise<string> {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const folder = dirname(keyFile);
  try {
    await makeFolder(folder, FOLDER_MODE);
    await writeOnce(keyFile, Buffer.from(privateKey.export({ type: "pkcs8", format: "pem" })), FILE_MODE);
    await syncFolder(folder);
  } catch (thrown) {
    throw invalid(keyFile, "cannot be written", thrown);
  }
  const written = await readKey(keyFile);
  if (written === undefined) throw invalid(keyFile, "vanished when it had been written");
  return written;
}

async function publicJwk(keyFile: string, privateKey: KeyObject): Promise<PublicJwk> {
  const { kty, crv, x, y } = createPublicKey(privateKey).export({ format: "jwk" });
  if (kty !== "EC" || crv !== "P-256" || !x || !y) throw invalid(keyFile, "is not a P-256 key");
  return { kty, crv, x, y, kid: await calculateJwkThumbprint({ kty, crv, x, y }, "sha256") };
}

/**
 * Signs with the P-256 key in a file (PKCS #8 PEM, mode 0600), which is made on first use. The key's id is its
 * RFC 7638 thumbprint. Throws `configuration-invalid` for a file that is not such a key, or that others may read.
 */
export async function fileSigner(keyFile: string): Promise<Signer> {
  const pem = (await readKey(keyFile)) ?? (await makeKey(keyFile));
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch (cause) {
    throw invalid(keyFile, "is not a private key", cause);
  }
  return {
    publicKey: await publicJwk(keyFile, key),
    sign: (bytes) =>
      new Promise((resolve, reject) => {
        sign("sha256", bytes, { key, dsaEncoding: "ieee-p1363" }, (error, signature) => {
          if (error) reject(new SallyportError("internal", "the signing key could not sign", { cause: error }));
          else resolve(signature);
        });
      }),
  };
}
