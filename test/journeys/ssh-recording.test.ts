import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { SessionEvent } from "../../core/recording/events.ts";
import { recordedInput } from "../setup/ssh-recorded.ts";
import { type SshStage, sshStage } from "../setup/ssh-stage.ts";
import { terminal } from "../setup/terminal.ts";

let stage: SshStage;
let folder: string;
beforeAll(async () => {
  stage = await sshStage();
  folder = await mkdtemp(join(tmpdir(), "sallyport-ssh-recording-"));
});
afterAll(async () => {
  await stage?.close();
  await rm(folder, { recursive: true, force: true });
});

type Named<T extends SessionEvent["type"]> = Extract<SessionEvent, { type: T }>;

async function events<T extends SessionEvent["type"]>(type: T): Promise<Named<T>[]> {
  const { events: all } = await stage.gateway.lastClosed();
  return all.filter((event): event is Named<T> => event.type === type);
}

describe("the recording of an SSH session", () => {
  it("tells a command, how it ended, and what went through each of its streams", async () => {
    await stage.run("ssh", ["web", "cat; echo err >&2; exit 3"], { input: "twelve bytes" });
    const [ended] = await events("command-ended");
    expect(ended).toMatchObject({ via: "exec", text: "cat; echo err >&2; exit 3", outcome: "exited", status: 3 });
    expect(ended).toMatchObject({ stdin: 12, stdout: 12, stderr: 4 });
    const { row } = await stage.gateway.lastClosed();
    expect(row.closing.statements).toBe(1);
    expect(row).toMatchObject({ protocol: "ssh", connection: "web" });
  });

  it("tells the signal that ended a command", async () => {
    await stage.run("ssh", ["web", "kill -KILL $$"]);
    expect((await events("command-ended"))[0]).toMatchObject({ outcome: "signalled", signal: "KILL" });
  });

  it("tells the files that sftp moved, with their SHA-256", async () => {
    const bytes = randomBytes(1_000_000);
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    const [here, there] = [join(folder, "here"), join(folder, "there")];
    await writeFile(here, bytes);
    await stage.run("scp", ["-q", here, `web:${there}`]);
    const written = (await events("file")).filter(({ operation }) => operation === "write");
    expect(written).toEqual([expect.objectContaining({ path: there, written: { bytes: 1_000_000, sha256 } })]);
  });

  it("tells the files that scp moved by its old protocol, with their SHA-256", async () => {
    const bytes = randomBytes(300_000);
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    const there = join(folder, "old");
    await writeFile(there, bytes);
    await stage.run("scp", ["-O", "-q", `web:${there}`, join(folder, "fetched")]);
    const read = (await events("file")).filter(({ operation }) => operation === "read");
    expect(read).toEqual([expect.objectContaining({ read: { bytes: 300_000, sha256 } })]);
  });

  it("has no pass that stands in a command, and no variable that calls itself a secret", async () => {
    const pass = await stage.gateway.pass();
    const { stdout } = await stage.run("ssh", [
      "-o",
      "SetEnv=TEST_SECRET=canary-env",
      "web",
      `test -n '${pass}' && echo $TEST_SECRET | wc -c`,
    ]);
    expect(stdout.toString().trim()).toBe("11"); // the target has both
    await stage.gateway.lastClosed();
    const kept = await stage.gateway.everythingKept();
    expect(kept.includes("test -n ")).toBe(true);
    expect([kept.includes(pass), kept.includes("canary-env")]).toEqual([false, false]);
  });

  it("has what was shown on a terminal, and never what was typed while it showed nothing", async () => {
    const command = `ssh ${stage.through.options.join(" ")} -tt web`;
    const shell = terminal(command, stage.through.env);
    await shell.shows(/[$#] /);
    shell.type("read -rs SECRET; echo length ${#SECRET}\r");
    await shell.shows(/read -rs SECRET/);
    await new Promise((done) => setTimeout(done, 300));
    for (const key of "canary-7391") {
      shell.type(key);
      await new Promise((done) => setTimeout(done, 20));
    }
    shell.type("\r");
    await shell.shows(/length 11/);
    shell.type("read -rs SECRET; echo pasted ${#SECRET}\r");
    await shell.shows(/read -rs SECRET/);
    await new Promise((done) => setTimeout(done, 300));
    shell.type("canary-pasted\r");
    await shell.shows(/pasted 13/);
    shell.type("exit 4\r");
    await shell.ended();
    expect((await events("command-ended"))[0]).toMatchObject({ via: "shell", outcome: "exited", status: 4 });
    const kept = await stage.gateway.everythingKept();
    expect(kept.includes("length 11")).toBe(true);
    expect(kept.includes("canary")).toBe(false);
    // Keys that are typed one by one stand in messages of their own.
    const typed = await recordedInput(stage.gateway);
    expect(typed.text).not.toMatch(/c?a?n?ary-/);
    expect(typed.text).toContain(`${"*".repeat(11)}\r`);
  });
});
