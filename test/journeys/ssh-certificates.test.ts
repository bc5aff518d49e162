import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { startTestGateway, type TestSshTarget } from "../setup/gateway.ts";
import { run, type Ran, succeed } from "../setup/programs.ts";
import { sshClient } from "../setup/ssh-client.ts";
import { certified, madeKey, type MadeKey } from "../setup/ssh-keygen.ts";
import { type Sshd, startSshd } from "../setup/sshd.ts";

const KINDS = {
  ed25519: ["-t", "ed25519"],
  RSA: ["-t", "rsa", "-b", "3072"],
  ECDSA: ["-t", "ecdsa", "-b", "256"],
} as const;
const authority = await madeKey();
const other = await madeKey();

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

async function sshd(settings: Parameters<typeof startSshd>[0]): Promise<Sshd> {
  const server = await startSshd(settings);
  closers.push(() => server.close());
  return server;
}

/** What plain ssh comes to that goes to this target through a gateway. */
async function through(
  target: TestSshTarget,
  command = "echo in",
  ...options: string[]
): Promise<Ran & { readonly text: string }> {
  const gateway = await startTestGateway({ target: { host: "127.0.0.1", port: 1, user: "nobody" }, ssh: target });
  closers.push(() => gateway.close());
  const { port = 0, hostKey = "" } = gateway.ssh ?? {};
  const client = await sshClient("web", "web", { host: "127.0.0.1", port, hostKey, password: await gateway.pass() });
  closers.push(() => client.close());
  const ran = await run("ssh", [...client.options, ...options, "web", command], { env: client.env });
  return { ...ran, text: ran.stdout.toString() };
}

describe("a target whose host key an authority has certified", () => {
  /** A server that shows a key of this kind with this certificate, and knows no other by that kind. */
  const certifying = (args: readonly string[], by: MadeKey, ...more: string[]): Promise<Sshd> =>
    sshd(async (directory) => {
      const key = await madeKey(KINDS[args[1] === "rsa" ? "RSA" : args[1] === "ecdsa" ? "ECDSA" : "ed25519"]);
      const file = join(directory, "certified");
      await writeFile(file, key.privateKey, { mode: 0o600 });
      await writeFile(`${file}.pub`, `${key.line}\n`);
      const certificate = await certified(by, key, more);
      const type = certificate.subarray(4, 4 + certificate.readUInt32BE(0)).toString();
      await writeFile(`${file}-cert.pub`, `${type} ${certificate.toString("base64")}\n`);
      return [`HostKey ${file}`, `HostCertificate ${file}-cert.pub`, "RekeyLimit 1M"];
    });
  const NAMED = ["-h", "-I", "web", "-n", "127.0.0.1,*.shop.internal", "-V", "-1m:+1h"];
  const trusting = (server: Sshd, over: Partial<TestSshTarget> = {}): TestSshTarget => ({
    ...server,
    hostKeys: [],
    hostCertificateAuthorities: [authority.line],
    ...over,
  });

  test.each(Object.entries(KINDS))(
    "is trusted by that authority, through every new exchange of keys: %s",
    async (_kind, args) => {
      const target = trusting(await certifying(args, authority, ...NAMED));
      const { status, text } = await through(target, "head -c 5000000 /dev/zero | wc -c; head -c 5000000 /dev/zero");
      expect([status, text.slice(0, 8), text.length]).toEqual([0, "5000000\n", 5_000_008]);
    },
  );

  test("is trusted by the name that the connection gives it, also by a pattern", async () => {
    const server = await certifying(KINDS.ed25519, authority, ...NAMED);
    expect(await through(trusting(server, { hostPrincipal: "WEB-1.shop.internal" }))).toMatchObject({ text: "in\n" });
    const { status, stderr } = await through(trusting(server, { hostPrincipal: "web-1.other.internal" }));
    expect(status).toBe(255);
    expect(stderr).toMatch(
      /host key that is not the connection's\. It showed a certificate for the key SHA256:\S+: it is for 127\.0\.0\.1, \*\.shop/,
    );
  });

  test.each([
    ["of another authority", other, NAMED, "its authority is not trusted here"],
    [
      "that has expired",
      authority,
      ["-h", "-I", "web", "-n", "127.0.0.1", "-V", "20250101:20250102"],
      "it has expired",
    ],
    ["for no name", authority, ["-h", "-I", "web"], "it is for nobody"],
  ])("is not logged in to by a certificate %s", async (_what, by, args, why) => {
    const { status, stderr } = await through(trusting(await certifying(KINDS.ed25519, by, ...args)));
    expect(status).toBe(255);
    expect(stderr).toContain(why);
  });

  test("and is pinned as well is trusted by its key, whoever certified that", async () => {
    const server = await certifying(KINDS.ECDSA, other, ...NAMED);
    const [pinned] = (await succeed("ssh-keyscan", ["-p", String(server.port), "-t", "ecdsa", "127.0.0.1"]))
      .split("\n")
      .filter((line) => line.startsWith("["));
    const hostKeys = [pinned?.split(" ").slice(1).join(" ") ?? ""];
    expect(await through(trusting(server, { hostKeys }))).toMatchObject({ status: 0, text: "in\n" });
  });

  test("that shows a plain key is asked for a certificate, and not trusted without one", async () => {
    const { status, stderr } = await through(trusting(await sshd([])));
    expect(status).toBe(255);
    expect(stderr).toContain("It showed none of the kinds that are asked for");
  });
});

describe("a target that trusts an authority of ours", () => {
  const trusts = (by: MadeKey): Promise<Sshd> =>
    sshd(async (directory) => {
      await writeFile(join(directory, "authority.pub"), `${by.line}\n`);
      return [`TrustedUserCAKeys ${join(directory, "authority.pub")}`, "LogLevel VERBOSE", "RekeyLimit 1M"];
    });
  const target = (server: Sshd, by: MadeKey): TestSshTarget => ({
    ...server,
    hostKeys: [server.hostKey],
    key: by.privateKey,
    certifies: true,
  });

  test.each(Object.entries(KINDS))(
    "is logged in to by a certificate of some minutes, and its log names the person and the session: %s",
    async (_kind, args) => {
      const by = await madeKey(args);
      const server = await trusts(by);
      expect(await through(target(server, by), "echo in; head -c 3000000 /dev/zero | wc -c")).toMatchObject({
        status: 0,
        text: "in\n3000000\n",
      });
      expect(server.said()).toMatch(
        /Accepted publickey for \S+ .*ED25519-CERT .*ID sallyport session [0-9a-f-]{36} of test\|Ana \(Ana\)/,
      );
    },
  );

  test("gives a terminal, as by any other log-in", async () => {
    const server = await trusts(authority);
    const { text } = await through(target(server, authority), "test -t 0 && echo terminal", "-tt");
    expect(text).toBe("terminal\r\n");
  });

  test("does not let in whoever it does not trust, and the client is told who can mend it", async () => {
    const { status, stderr } = await through(target(await trusts(authority), other));
    expect(status).toBe(255);
    expect(stderr).toMatch(/does not let the gateway log in as .* Whoever keeps the connection's credentials/);
  });

  test("is not asked where the authority is no private key: that is said", async () => {
    const { status, stderr } = await through({ ...target(await trusts(authority), authority), key: "not a key" });
    expect(status).toBe(255);
    expect(stderr).toContain("the connection's certificate authority is no private key");
  });
});
