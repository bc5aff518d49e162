import ssh2 from "ssh2";
import { SallyportError } from "../core/errors.ts";
import { newHostKey } from "../gateway-task/ssh/host-key.ts";
import { PRIVATE_FILE, readPrivate, replaceFile } from "./private-files.ts";

export interface SshHostKey {
  /** In OpenSSH's format, without a passphrase. Secret. */
  readonly privateKey: string;
  /** `ssh-ed25519 base64`. */
  readonly publicKey: string;
}

/**
 * The key by which SSH clients know the gateway, in a file that is made on first use: ed25519, which every client takes.
 * Throws `configuration-invalid` for a file that is no such key, or that others may read: a new one would be taken by every
 * client for an impostor's.
 */
export async function sshHostKey(file: string): Promise<SshHostKey> {
  const kept = await readPrivate(file);
  const privateKey = kept ?? newHostKey().privateKey;
  const parsed = ssh2.utils.parseKey(privateKey);
  if (parsed instanceof Error || parsed.type !== "ssh-ed25519" || !parsed.isPrivateKey())
    throw new SallyportError("configuration-invalid", `${file} is not an ed25519 host key without a passphrase`, {
      hint: "Restore it, or remove it to have a new one made; clients must then be given its new line for known_hosts.",
    });
  if (kept === undefined) await replaceFile(file, privateKey, PRIVATE_FILE);
  return { privateKey, publicKey: `${parsed.type} ${parsed.getPublicSSH().toString("base64")}` };
}
