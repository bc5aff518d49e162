import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sshFingerprint } from "../../core/identity/ssh-key.ts";
import { sshString } from "../../core/identity/ssh-wire.ts";
import type { SshFingerprint } from "../../core/ports/ssh-key-store.ts";
import { succeed } from "./programs.ts";

/** A key pair that the real `ssh-keygen` made. */
export interface MadeKey {
  /** That of the `.pub` file. */
  readonly line: string;
  /** `type base64`. */
  readonly publicKey: string;
  readonly blob: Buffer;
  readonly fingerprint: SshFingerprint;
  readonly privateKey: string;
  /** What `ssh-keygen -Y sign` prints. */
  sign(text: string, namespace: string, ...options: string[]): Promise<string>;
}

export async function madeKey(args: readonly string[] = ["-t", "ed25519"], comment = "a@laptop"): Promise<MadeKey> {
  return inFolder(async (folder) => {
    const file = join(folder, "key");
    await succeed("ssh-keygen", ["-q", "-N", "", "-C", comment, "-f", file, ...args]);
    const privateKey = await readFile(file, "utf8");
    const line = (await readFile(`${file}.pub`, "utf8")).trimEnd();
    const publicKey = line.split(" ", 2).join(" ");
    const blob = blobOf(line);
    const sign: MadeKey["sign"] = async (text, namespace, ...options) => signWith(privateKey, text, namespace, options);
    return { line, publicKey, blob, fingerprint: sshFingerprint(blob), privateKey, sign };
  });
}

async function signWith(
  privateKey: string,
  text: string,
  namespace: string,
  options: readonly string[],
): Promise<string> {
  return inFolder(async (folder) => {
    const file = join(folder, "key");
    await writeFile(file, privateKey, { mode: 0o600 });
    return succeed("ssh-keygen", ["-q", "-Y", "sign", "-n", namespace, "-f", file, ...options], { input: text });
  });
}

/** The certificate that `ssh-keygen -s` makes of a key, as it crosses the wire. @param args such as `-I`, `-n`, `-V`, `-h`, `-O` */
export async function certified(authority: MadeKey, key: MadeKey, args: readonly string[]): Promise<Buffer> {
  return inFolder(async (folder) => {
    const [ca, file] = [join(folder, "ca"), join(folder, "key")];
    await writeFile(ca, authority.privateKey, { mode: 0o600 });
    await writeFile(`${file}.pub`, `${key.line}\n`);
    await succeed("ssh-keygen", ["-q", "-s", ca, ...args, `${file}.pub`]);
    return blobOf(await readFile(`${file}-cert.pub`, "utf8"));
  });
}

/** What `ssh-keygen -L` says of a certificate. */
export async function shown(certificate: Buffer): Promise<string> {
  return inFolder(async (folder) => {
    const file = join(folder, "key-cert.pub");
    const type = certificate.subarray(4, 4 + certificate.readUInt32BE(0)).toString();
    await writeFile(file, `${type} ${certificate.toString("base64")}\n`);
    return succeed("ssh-keygen", ["-L", "-f", file]);
  });
}

async function inFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "sallyport-test-key-"));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The key of a line, as it crosses the wire. */
export function blobOf(line: string): Buffer {
  return Buffer.from(line.split(" ")[1] ?? "", "base64");
}

/** A public key as it crosses the wire, of these fields: each a text, or the bytes of a number. */
export function keyBlob(...fields: readonly (string | Uint8Array)[]): Buffer {
  return Buffer.concat(fields.map(sshString));
}
