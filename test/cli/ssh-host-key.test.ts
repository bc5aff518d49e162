import { chmod, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { sshHostKey } from "../../cli/ssh-host-key.ts";
import { succeed } from "../setup/programs.ts";

let folder: string;
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), "sallyport-test-host-key-"))));
afterAll(async () => rm(folder, { recursive: true, force: true }));

test("a host key is made once, for its owner's eyes only, and OpenSSH reads the same public key from it", async () => {
  const file = join(folder, "made");
  const made = await sshHostKey(file);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect(made.publicKey).toMatch(/^ssh-ed25519 [A-Za-z0-9+/]+=*$/);
  expect((await succeed("ssh-keygen", ["-y", "-f", file])).split(" ", 2).join(" ").trim()).toBe(made.publicKey);
  expect(await sshHostKey(file)).toEqual(made);
  expect((await sshHostKey(join(folder, "other"))).publicKey).not.toBe(made.publicKey);
});

test("a key that an operator has made is taken as it is", async () => {
  const file = join(folder, "theirs");
  await succeed("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", file]);
  const publicKey = (await readFile(`${file}.pub`, "utf8")).split(" ", 2).join(" ");
  expect(await sshHostKey(file)).toEqual({ privateKey: await readFile(file, "utf8"), publicKey });
});

test("a file that is no such key is refused and left alone: a new key would look like an impostor's", async () => {
  const keys = { ecdsa: ["-t", "ecdsa", "-N", ""], locked: ["-t", "ed25519", "-N", "secret"] };
  for (const [name, args] of Object.entries(keys))
    await succeed("ssh-keygen", ["-q", ...args, "-f", join(folder, name)]);
  await succeed("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", join(folder, "open")]);
  await chmod(join(folder, "open"), 0o644);
  await writeFile(join(folder, "public"), await readFile(join(folder, "open.pub")), { mode: 0o600 });
  await writeFile(join(folder, "empty"), "", { mode: 0o600 });
  for (const name of [...Object.keys(keys), "open", "public", "empty"]) {
    const before = await readFile(join(folder, name));
    await expect(sshHostKey(join(folder, name)), name).rejects.toMatchObject({ code: "configuration-invalid" });
    expect(await readFile(join(folder, name))).toEqual(before);
  }
});
