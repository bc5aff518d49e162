import { createHash } from "node:crypto";

/** As OpenSSH prints it: `SHA256:` and the digest of the key's blob in base64 without padding. */
export function fingerprintOf(blob: Buffer): string {
  return `SHA256:${createHash("sha256").update(blob).digest("base64").replace(/=+$/, "")}`;
}
