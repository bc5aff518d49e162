import { generateKeyPairSync, randomBytes } from "node:crypto";
import { sshString } from "../../core/identity/ssh-wire.ts";

const TYPE = "ssh-ed25519";
const COMMENT = "sallyport";
/** What an unencrypted key is padded to (openssh PROTOCOL.key §3). */
const BLOCK = 8;
const LINE = /.{1,70}/g;

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
  const one = Buffer.from([0, 0, 0, 1]);
  const whole = Buffer.concat([
    Buffer.from("openssh-key-v1\0"),
    sshString("none"),
    sshString("none"),
    sshString(""),
    one,
    sshString(publicBlob),
    sshString(Buffer.concat([secret, padding])),
  ]);
  const lines = whole.toString("base64").match(LINE) ?? [];
  return ["-----BEGIN OPENSSH PRIVATE KEY-----", ...lines, "-----END OPENSSH PRIVATE KEY-----", ""].join("\n");
}
