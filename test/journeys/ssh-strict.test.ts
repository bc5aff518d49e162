import { randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type SshStage, sshStage } from "../setup/ssh-stage.ts";

let open: SshStage;
let guarded: SshStage;
beforeAll(async () => {
  [open, guarded] = await Promise.all([
    sshStage({ durability: "strict" }),
    sshStage({ durability: "strict", shell: "guarded" }),
  ]);
});
afterAll(async () => {
  await open?.close();
  await guarded?.close();
});

describe("an SSH connection of which everything is on disk first (durability: strict)", () => {
  test("runs commands with their input, output, errors and status", async () => {
    const input = randomBytes(300_000).toString("base64");
    const { stdout, stderr, status } = await open.run("ssh", ["web", "cat; echo oops >&2; exit 5"], { input });
    expect([stdout.toString() === input, stderr, status]).toEqual([true, "oops\n", 5]);
    const { events } = await open.gateway.lastClosed();
    expect(events[0]).toMatchObject({ durability: "strict" });
    expect(events).toContainEqual(expect.objectContaining({ type: "command-ended", status: 5, stdin: input.length }));
  });

  test("moves files both ways unchanged", async () => {
    const [from, to, back] = ["from", "to", "back"].map((name) => join(open.through.directory, name)) as [string, string, string]; // prettier-ignore
    const bytes = randomBytes(5_000_000);
    await writeFile(from, bytes);
    expect(await open.run("scp", [from, `web:${to}`])).toMatchObject({ status: 0 });
    expect(await open.run("scp", [`web:${to}`, back])).toMatchObject({ status: 0 });
    expect((await readFile(back)).equals(bytes)).toBe(true);
  });

  test("carries many sessions over one connection at once", async () => {
    const commands = Array.from({ length: 20 }, (_, n) => open.run("ssh", ["web", `echo ${n}; head -c 100000 /dev/zero | wc -c`])); // prettier-ignore
    for (const [n, { stdout }] of (await Promise.all(commands)).entries())
      expect(stdout.toString()).toBe(`${n}\n100000\n`);
  });

  test("gives a guarded shell: each line runs, and its directory and variables are kept", async () => {
    const input = "cd /tmp\nNAME=kept\necho $NAME in $PWD\nhead -c 200000 /dev/zero | wc -c\nexit 3\n";
    const { stdout, stderr, status } = await guarded.run("ssh", ["web"], { input });
    expect([stdout.toString(), status]).toEqual(["kept in /tmp\n200000\n", 3]);
    expect(stderr).not.toMatch(/sallyport: .*fail/);
    const { events } = await guarded.gateway.lastClosed();
    expect(events).toContainEqual(
      expect.objectContaining({ type: "command-ended", text: "echo $NAME in $PWD", guarded: true }),
    );
  });

  test("gives a guarded shell on a terminal, too, with what is typed ahead", async () => {
    const input = "echo one; sleep 0.3\necho two\nexit\n";
    const { stdout, status } = await guarded.run("ssh", ["-tt", "web"], { input });
    expect(status).toBe(0);
    expect(stdout.toString()).toMatch(/one\r\n[\s\S]*two\r\n/);
  });
});
