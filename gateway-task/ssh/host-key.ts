import { createHash } from "node:crypto";
import ssh2 from "ssh2";

/** As OpenSSH prints it: `SHA256:` and the digest of the key's blob in base64 without padding. */
export function fingerprintOf(blob: Buffer): string {
  return `SHA256:${createHash("sha256").update(blob).digest("base64").replace(/=+$/, "")}`;
}

/**
 * A new ed25519 key in OpenSSH's format, without a passphrase. The library writes one in 256 so that nobody can read it (it
 * drops a leading zero): those are thrown away.
 */
export function newHostKey(): { readonly privateKey: string; readonly publicKey: string } {
  for (;;) {
    const made = ssh2.utils.generateKeyPairSync("ed25519", { comment: "sallyport" });
    if (!(ssh2.utils.parseKey(made.private) instanceof Error))
      return { privateKey: made.private, publicKey: made.public };
  }
}
