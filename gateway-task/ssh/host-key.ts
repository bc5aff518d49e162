import ssh2 from "ssh2";

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
