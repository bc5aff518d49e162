import { generateKeyPairSync, randomBytes } from "node:crypto";
import { sshString, sshStrings } from "../../core/identity/ssh-wire.ts";

const TYPE = "ssh-ed25519";
const COMMENT = "sallyport";
/** What an unencrypted key is padded to (openssh PROTOCOL.key §3). */
const BLOCK = 8;
const LINE = /.{1,70}/g;

const BEGIN = "-----BEGIN OPENSSH PRIVATE KEY-----";
const END = "-----END OPENSSH PRIVATE KEY-----";
const MAGIC = Buffer.from("openssh-key-v1\0");
/** Of "none", "none", no options, and how many keys follow: what stands before the public key where nothing is encrypted. */
const HEADER = Buffer.concat([MAGIC, sshString("none"), sshString("none"), sshString(""), Buffer.from([0, 0, 0, 1])]);

/** A new ed25519 key without a passphrase, as OpenSSH writes it (openssh-portable PROTOCOL.key). Secret. */
export function newOpensshKey(): string {
  const { privateKey } = generateKeyPairSync("ed25519");
  const { x = "", d = "" } = privateKey.export({ format: "jwk" });
  const publicBytes = Buffer.from(x, "base64url");
  const publicBlob = Buffer.concat([sshString(TYPE), sshString(publicBytes)]);
  // The same number twice: by it a decryption shows that it succeeded.
  const check = randomBytes(4);
  const secret = Buffer.concat([
    check,
    check,
    publicBlob,
    sshString(Buffer.concat([Buffer.from(d, "base64url"), publicBytes])),
    sshString(COMMENT),
  ]);
  const missing = (BLOCK - (secret.length % BLOCK)) % BLOCK;
  const padding = Buffer.from(Array.from({ length: missing }, (_, index) => index + 1));
  const whole = Buffer.concat([HEADER, sshString(publicBlob), sshString(Buffer.concat([secret, padding]))]);
  const lines = whole.toString("base64").match(LINE) ?? [];
  return [BEGIN, ...lines, END, ""].join("\n");
}

/** `type base64` of the public half of such a key; undefined for what is none, or has a passphrase. */
export function opensshPublicKey(privateKey: string): string | undefined {
  const text = privateKey.trim();
  if (!text.startsWith(BEGIN) || !text.endsWith(END)) return undefined;
  const whole = Buffer.from(text.slice(BEGIN.length, -END.length), "base64");
  if (!whole.subarray(0, HEADER.length).equals(HEADER)) return undefined;
  const [blob] = sshStrings(whole.subarray(HEADER.length)) ?? [];
  const [type] = sshStrings(blob ?? Buffer.alloc(0)) ?? [];
  return blob === undefined || type === undefined ? undefined : `${type.toString("latin1")} ${blob.toString("base64")}`;
}
