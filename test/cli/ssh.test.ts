import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import ssh2 from "ssh2";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { HOST_KEY_ALIAS, sshArguments, sshEnvironment, type SshLogin } from "../../cli/ssh.ts";
import { sshHostKey } from "../../cli/ssh-host-key.ts";
import { type Ran, run } from "../setup/programs.ts";

const PASS = "sp_secret of this test";
let folder: string;
let server: ssh2.Server;
let login: SshLogin;
/** What the server was told: method, user, password; and the commands that were run. */
let told: string[];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "sallyport test % ssh-")); // with what ssh would read as something else
  const { privateKey, publicKey } = await sshHostKey(join(folder, "key"));
  server = new ssh2.Server({ hostKeys: [privateKey], algorithms: { cipher: ["aes256-gcm@openssh.com"] } }, (client) => {
    client.on("authentication", (context) => {
      told.push([context.method, context.username, context.method === "password" ? context.password : ""].join(" "));
      if (context.method === "password") context.accept();
      else context.reject(["password", "publickey", "keyboard-interactive"]);
    });
    client.on("session", (accept) => {
      accept().on("exec", (acceptExec, _reject, { command }) => {
        told.push(command);
        const channel = acceptExec();
        channel.write("said\n");
        channel.exit(7);
        channel.end();
      });
    });
    client.on("error", () => {});
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const knownHostsFile = join(folder, "known_hosts");
  await writeFile(knownHostsFile, `${HOST_KEY_ALIAS} ${publicKey}\n`);
  const { port } = server.address() as AddressInfo;
  login = { host: "127.0.0.1", port, connection: "web-1", knownHostsFile };
});
afterAll(async () => {
  server.close();
  await rm(folder, { recursive: true, force: true });
});
beforeEach(() => void (told = []));

const ssh = (args: readonly string[], over: Partial<SshLogin> = {}): Promise<Ran> =>
  run("ssh", sshArguments({ ...login, ...over }, args), { env: sshEnvironment(PASS) });

describe("the system's ssh", () => {
  test("signs in with the pass at once, runs the command and ends with its status", async () => {
    const ran = await ssh(["uptime", "-p"]);
    expect([ran.status, ran.stdout.toString(), ran.stderr]).toEqual([7, "said\n", ""]);
    expect(told).toEqual(["none web-1 ", `password web-1 ${PASS}`, "uptime -p"]);
  });

  test("is never given the pass where others could read it: among its arguments", () => {
    expect(sshArguments(login, []).join(" ")).not.toContain("sp_");
    expect(JSON.stringify(sshEnvironment(PASS, {}))).toContain(PASS);
  });

  test("tells the pass to no gateway that shows another key, or none that is known", async () => {
    const other = await sshHostKey(join(folder, "other-key"));
    const impostor = join(folder, "impostor");
    await writeFile(impostor, `${HOST_KEY_ALIAS} ${other.publicKey}\n`);
    for (const knownHostsFile of [impostor, join(folder, "nothing")]) {
      const { status, stderr } = await ssh(["uptime"], { knownHostsFile });
      expect([status, stderr]).toEqual([255, expect.stringContaining("Host key verification failed")]);
    }
    expect(told).toEqual([]);
  });

  test("goes to the gateway, whatever the person's own configuration says", async () => {
    const config = join(folder, "config");
    const theirs = { HostName: "192.0.2.1", Port: "1", User: "root", StrictHostKeyChecking: "no", BatchMode: "yes", PasswordAuthentication: "no", HostKeyAlias: "other", UserKnownHostsFile: "/dev/null", KnownHostsCommand: "/bin/false", ControlPath: "/nowhere/%C", ControlMaster: "auto" }; // prettier-ignore
    await writeFile(config, `Host *\n${Object.entries(theirs).map((pair) => `  ${pair.join(" ")}\n`).join("")}`); // prettier-ignore
    expect(await ssh(["-F", config, "-p", "1", "-l", "root", "uptime"])).toMatchObject({ status: 7 });
    expect(told[1]).toBe(`password web-1 ${PASS}`);
  });
});

test.each([
  ["me@bastion.example's password: ", 1],
  ["Enter passphrase for key '/home/me/.ssh/id_ed25519': ", 1],
  ["Are you sure you want to continue connecting (yes/no/[fingerprint])? ", 1],
  ["web-1@sallyport/gateway's password: ", 0],
])("whoever else asks on the way, such as a jump host, is not told the pass: %j", async (question, status) => {
  const env = sshEnvironment(PASS);
  const answered = await run(env["SSH_ASKPASS"] ?? "", [question], { env });
  expect([answered.status, answered.stdout.toString()]).toEqual([status, status === 0 ? `${PASS}\n` : ""]);
});
