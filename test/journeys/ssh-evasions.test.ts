import { once } from "node:events";
import { mkdtemp, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import ssh2 from "ssh2";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { approver } from "../setup/approver.ts";
import { policiesOf } from "../setup/policies.ts";
import { sshStage } from "../setup/ssh-stage.ts";

const POLICIES = policiesOf(`
  @id("no-touch") @reason("no touch") forbid (principal, action == Action::"ssh:exec", resource)
    when { context.programs.contains("touch") };
  @id("ask") @reason("ask") @approvers("dba") forbid (principal, action == Action::"ssh:exec", resource)
    when { context.programs.contains("mv") } unless { context.approvals >= 1 };
  @id("read-only") @reason("read only") forbid (principal, action == Action::"ssh:write", resource);`);

let stage: Awaited<ReturnType<typeof sshStage>>;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "sallyport-evasions-"));
  stage = await sshStage({ policies: () => POLICIES });
});
afterAll(() => stage.close());

async function connected(): Promise<{ client: ssh2.Client; closed: Promise<unknown> }> {
  const client = new ssh2.Client();
  const closed = once(client, "close");
  const password = await stage.gateway.pass();
  const port = stage.gateway.ssh?.port ?? 0;
  await new Promise<void>((done, fail) => {
    client.once("ready", done).on("error", fail);
    client.connect({ host: "127.0.0.1", port, username: "web", password, hostVerifier: () => true });
  });
  return { client, closed };
}

describe("a text with a NUL at its end, which OpenSSH would take without it,", () => {
  it("ends the session as a command, and nothing of it runs", async () => {
    const { client, closed } = await connected();
    client.exec(`touch ${folder}/touched\0`, () => {});
    await closed;
    await expect(stat(join(folder, "touched"))).rejects.toThrow(/ENOENT/);
  });

  it("ends the session as the host of a forward", async () => {
    const { client, closed } = await connected();
    const opened = new Promise((done) => {
      client.forwardOut("127.0.0.1", 1, "127.0.0.1\0", stage.sshd.port, (error) => done(error === undefined));
    });
    await closed;
    expect(await Promise.race([opened, Promise.resolve(false)])).toBe(false);
  });
});

it("an sftp client that may only read cannot change a file's mode by the handle that it reads by", async () => {
  const file = join(folder, "readable");
  await writeFile(file, "text", { mode: 0o644 });
  const { client } = await connected();
  const sftp = await new Promise<ssh2.SFTPWrapper>((done, fail) =>
    client.sftp((error, opened) => (error ? fail(error) : done(opened))),
  );
  const handle = await new Promise<Buffer>((done, fail) =>
    sftp.open(file, "r", (error, opened) => (error ? fail(error) : done(opened))),
  );
  const refused = await new Promise<unknown>((done) => sftp.fchmod(handle, 0o777, done));
  expect(String(refused)).toMatch(/read only/);
  expect((await stat(file)).mode & 0o777).toBe(0o644);
  expect(await new Promise((done) => sftp.readFile(file, "utf8", (_, data) => done(String(data))))).toBe("text");
  client.end();
});

it("a pass that stands in a held command is nowhere in what is kept of it", async () => {
  const pass = await stage.gateway.pass();
  const run = stage.run("ssh", ["web", `mv ${pass} /x`]);
  await approver(stage.gateway.state.approvalStore).decide(false);
  await run;
  await stage.gateway.lastClosed();
  const kept = await stage.gateway.everythingKept();
  expect(kept.includes(pass)).toBe(false);
});
