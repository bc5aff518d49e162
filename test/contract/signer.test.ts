import { generateKeyPairSync } from "node:crypto";
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { fileSigner } from "../../local/signer.ts";
import { signerContract } from "./signer.ts";

const made: string[] = [];
const folder = async (): Promise<string> => {
  const path = await mkdtemp(join(tmpdir(), "sallyport-signer-"));
  made.push(path);
  return path;
};
afterAll(async () => {
  for (const path of made) await rm(path, { recursive: true });
});

signerContract("a key file", async () => fileSigner(join(await folder(), "signing.pem")));

describe("the signer of a key file", () => {
  it("makes the key on first use, readable by its owner only, and keeps it", async () => {
    const path = await folder();
    const first = await fileSigner(join(path, "keys", "signing.pem"));
    expect((await stat(join(path, "keys", "signing.pem"))).mode & 0o777).toBe(0o600);
    expect(await readdir(join(path, "keys"))).toEqual(["signing.pem"]);
    expect((await fileSigner(join(path, "keys", "signing.pem"))).publicKey).toEqual(first.publicKey);
  });

  it("gives all of many first users the same key", async () => {
    const path = join(await folder(), "signing.pem");
    const signers = await Promise.all(Array.from({ length: 12 }, () => fileSigner(path)));
    expect(new Set(signers.map((signer) => signer.publicKey.kid)).size).toBe(1);
  });

  it("refuses a key that others may read", async () => {
    const path = join(await folder(), "signing.pem");
    await fileSigner(path);
    for (const mode of [0o640, 0o604, 0o660, 0o777]) {
      await chmod(path, mode);
      await expect(fileSigner(path)).rejects.toMatchObject({ code: "configuration-invalid" });
    }
  });

  it("refuses what is not a P-256 private key, says which file it is, and leaves it as it was", async () => {
    const path = join(await folder(), "signing.pem");
    const p384 = generateKeyPairSync("ec", { namedCurve: "P-384" }).privateKey;
    const k1 = generateKeyPairSync("ec", { namedCurve: "secp256k1" }).privateKey;
    const p256 = generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey;
    const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;
    const ed = generateKeyPairSync("ed25519").privateKey;
    const texts = [p384, k1, rsa, ed].map((key) => key.export({ type: "pkcs8", format: "pem" }) as string);
    texts.push(p256.export({ type: "spki", format: "pem" }) as string, "", "nonsense", "x".repeat(1_000_000));
    for (const text of texts) {
      await writeFile(path, text, { mode: 0o600 });
      const refused = fileSigner(path);
      await expect(refused).rejects.toMatchObject({ code: "configuration-invalid" });
      await expect(refused).rejects.toThrow(path);
      expect(await readFile(path, "utf8")).toBe(text);
    }
  });
});
