import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { succeed } from "./programs.ts";

/** The line of a public key that the real `ssh-keygen` makes. */
export async function madeKey(args: readonly string[] = ["-t", "ed25519"], comment = "alice@laptop"): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "sallyport-test-key-"));
  try {
    const file = join(folder, "key");
    await succeed("ssh-keygen", ["-q", "-N", "", "-C", comment, "-f", file, ...args]);
    return (await readFile(`${file}.pub`, "utf8")).trimEnd();
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The key as it crosses the wire. */
export function blobOf(line: string): Buffer {
  return Buffer.from(line.split(" ")[1] ?? "", "base64");
}

/** A public key of these fields, each a text or the bytes of a number. */
export function keyOf(...fields: readonly (string | Uint8Array)[]): string {
  const blob = Buffer.concat(
    fields.flatMap((field) => {
      const bytes = Buffer.from(field as Uint8Array);
      const length = Buffer.alloc(4);
      length.writeUInt32BE(bytes.length);
      return [length, bytes];
    }),
  );
  return `${String(fields[0])} ${blob.toString("base64")}`;
}
