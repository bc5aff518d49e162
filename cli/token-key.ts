import { randomBytes } from "node:crypto";
import { SallyportError } from "../core/errors.ts";
import { TOKEN_KEY_BYTES } from "../core/identity/session-token.ts";
import { PRIVATE_FILE, readPrivate, replaceFile } from "./private-files.ts";

/** The key that signs sessions, in a file that is made on first use. Throws `configuration-invalid`. */
export async function tokenKey(file: string): Promise<Uint8Array> {
  return keyIn(file, "everybody must then sign in again");
}

/** The key by which values are hashed where they are masked, likewise. */
export async function maskingKey(file: string): Promise<Uint8Array> {
  return keyIn(file, "what was hashed before then no longer equals what is hashed after");
}

/** 256 bits, as hexadecimal text. */
async function keyIn(file: string, consequence: string): Promise<Uint8Array> {
  const text = await readPrivate(file);
  if (text === undefined) {
    const key = randomBytes(TOKEN_KEY_BYTES);
    await replaceFile(file, `${key.toString("hex")}\n`, PRIVATE_FILE);
    return key;
  }
  if (!/^[0-9a-f]{64}\n?$/.test(text))
    throw new SallyportError("configuration-invalid", `${file} is not a key of ours`, {
      hint: `Remove it to have a new one made; ${consequence}.`,
    });
  return Buffer.from(text.trim(), "hex");
}
