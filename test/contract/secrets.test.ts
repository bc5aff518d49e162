import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { fileSecrets } from "../../local/secrets.ts";
import { secretsContract } from "./secrets.ts";

const made: string[] = [];
const folder = async (): Promise<string> => {
  const path = await mkdtemp(join(tmpdir(), "sallyport-secrets-"));
  made.push(path);
  return path;
};
afterAll(async () => {
  for (const path of made) await rm(path, { recursive: true });
});

secretsContract("files", async () => {
  const path = await folder();
  return {
    secrets: fileSecrets(path),
    put: async (name, text) => {
      const file = join(path, name);
      await writeFile(file, text, { mode: 0o600 });
      await chmod(file, 0o600);
    },
  };
});

test("a secret that cannot be read is not one that is missing", async () => {
  const path = await folder();
  await mkdir(join(path, "one"));
  await expect(fileSecrets(path).get("one")).rejects.toMatchObject({ code: "store-unavailable" });
});
