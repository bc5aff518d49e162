import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import ssh2 from "ssh2";
import type { PrincipalId } from "../../core/identity/principal.ts";
import { SSH_KEY_SIGN_IN_MS } from "../../core/identity/ssh-key.ts";
import { ALGORITHMS } from "../../gateway-task/ssh/algorithms.ts";
import { targetLeg } from "../../gateway-task/ssh/leg.ts";
import { startTestGateway, type TestGateway } from "../setup/gateway.ts";
import { run, type Ran } from "../setup/programs.ts";
import { type SshClient, sshClient } from "../setup/ssh-client.ts";
import { certified, madeKey, type MadeKey } from "../setup/ssh-keygen.ts";
import { type Sshd, startSshd } from "../setup/sshd.ts";

const ANN = "https://idp.example|ann" as PrincipalId;
const EMAIL = "ann@shop.example";
const KINDS = {
  ed25519: ["-t", "ed25519"],
  RSA: ["-t", "rsa", "-b", "3072"],
  ECDSA: ["-t", "ecdsa", "-b", "384"],
} as const;
const authority = await madeKey();
const other = await madeKey();

let sshd: Sshd;
let gateway: TestGateway;
const clients: SshClient[] = [];
beforeAll(async () => {
  sshd = await startSshd();
  gateway = await startTestGateway({
    target: { host: "127.0.0.1", port: 1, user: "nobody" },
    ssh: { ...sshd, hostKeys: [sshd.hostKey], userCertificateAuthorities: [authority.line] },
  });
});
beforeEach(async () => signedIn(ANN, EMAIL, Date.now()));
afterAll(async () => {
  for (const client of clients) await client.close();
  await gateway?.close();
  await sshd?.close();
});

const signedIn = (id: PrincipalId, email: string, seenAt: number, groups = ["engineers"]): Promise<void> =>
  gateway.state.people.signedIn({ id, name: "Ann", email, groups, seenAt, freshUntil: seenAt });

/** Plain ssh with this key and its certificate, and nothing else to sign in by. */
async function by(key: MadeKey, certificate: Buffer): Promise<Ran & { readonly text: string }> {
  const { port = 0, hostKey = "" } = gateway.ssh ?? {};
  const reached = { host: "127.0.0.1", port, hostKey, settings: ["PreferredAuthentications publickey"] };
  const client = await sshClient("web", "web", { ...reached, keyFile: "none" });
  clients.push(client);
  const file = join(client.directory, "id");
  const type = certificate.subarray(4, 4 + certificate.readUInt32BE(0)).toString();
  await writeFile(file, key.privateKey, { mode: 0o600 });
  await writeFile(`${file}.pub`, `${key.line}\n`);
  await writeFile(`${file}-cert.pub`, `${type} ${certificate.toString("base64")}\n`);
  const options = [...client.options, "-o", `IdentityFile=${file}`, "-o", `CertificateFile=${file}-cert.pub`];
  const ran = await run("ssh", [...options, "web", "echo in"], { env: client.env });
  return { ...ran, text: ran.stdout.toString() };
}

const GOOD = ["-I", "ann's laptop", "-n", `ops,${EMAIL}`, "-V", "-1m:+10m"];
const withCertificate = async (args: readonly string[], ca = authority): Promise<Ran & { readonly text: string }> => {
  const key = await madeKey();
  return by(key, await certified(ca, key, args));
};

describe("a certificate of an authority that the connection trusts", () => {
  test.each(Object.entries(KINDS))(
    "signs in whom it names, by a key of the kind %s, and the record says who",
    async (_kind, args) => {
      const key = await madeKey(args);
      expect(await by(key, await certified(authority, key, GOOD))).toMatchObject({ status: 0, text: "in\n" });
      const { row, events } = await gateway.lastClosed();
      expect(row.principalId).toBe(ANN);
      expect(events[0]).toMatchObject({ principal: { id: ANN, groups: ["engineers"] } });
      expect(gateway.logs.join("")).toContain('"keyId":"ann\'s laptop"');
    },
  );

  test("may name a person by their id as well", async () => {
    expect(await withCertificate(["-I", "a", "-n", ANN, "-V", "-1m:+10m"])).toMatchObject({ status: 0 });
  });

  test.each([
    ["has expired", ["-I", "a", "-n", EMAIL, "-V", "20250101:20250102"], "it has expired"],
    ["is not good yet", ["-I", "a", "-n", EMAIL, "-V", "20400101:20400102"], "it is not good yet"],
    ["names nobody here", ["-I", "a", "-n", "eve@shop.example"], "nobody whom it names has signed in by a browser"],
    ["names users of servers", ["-I", "a", "-n", "root,web"], "it is for root, web"],
    ["names nobody at all", ["-I", "a"], "it is for nobody"],
    ["forces a command", [...GOOD, "-O", "force-command=id"], "its critical option force-command is not kept here"],
    ["is for another address", [...GOOD, "-O", "source-address=192.0.2.0/24"], "it is not good from 127.0.0.1"],
  ])("that %s does not let in, and its holder is told why", async (_what, args, why) => {
    const { status, stderr } = await withCertificate(args);
    expect(status).toBe(255);
    expect(stderr).toContain(`sallyport: your certificate is not taken: ${why}`);
    expect(stderr).toMatch(/Permission denied/);
  });

  test("is good from the addresses that it names", async () => {
    const from = ["-O", "source-address=192.0.2.1,127.0.0.0/8,2001:db8::/32"];
    expect(await withCertificate([...GOOD, ...from])).toMatchObject({ status: 0 });
  });

  test("lets in nobody who has not signed in by a browser of late, whose access was ended, or whom two people answer to", async () => {
    await signedIn(ANN, EMAIL, Date.now() - SSH_KEY_SIGN_IN_MS);
    expect((await withCertificate(GOOD)).stderr).toContain("keys are good for 12 hours after a sign-in by a browser");
    await signedIn(ANN, EMAIL, Date.now());
    await gateway.state.signIns.endAccess(ANN, Date.now());
    expect((await withCertificate(GOOD)).stderr).toContain("an administrator has ended your access");
    await signedIn(ANN, EMAIL, Date.now() + 1_000);
    const double = "https://other.example|ann" as PrincipalId;
    await signedIn(double, EMAIL, Date.now());
    expect((await withCertificate(GOOD)).stderr).toContain("it names more than one person");
    await signedIn(double, "someone@else.example", Date.now());
  });

  test("opens what the person's groups open", async () => {
    await signedIn(ANN, EMAIL, Date.now() + 2_000, ["accountants"]);
    const { status, stderr } = await withCertificate(GOOD);
    expect(status).toBe(255);
    expect(stderr).toMatch(/may not connect to "web"/);
  });
});

describe("what is no such certificate", () => {
  test("of an authority that is not trusted, is taken for a key that nobody has registered", async () => {
    const { status, stderr } = await withCertificate(GOOD, other);
    expect(status).toBe(255);
    expect(stderr).not.toContain("certificate is not taken");
    expect(stderr).toMatch(/Permission denied/);
  });

  /** A client that shows this certificate, whatever it says, and signs by this key. */
  async function liesBy(key: MadeKey, certificate: Buffer): Promise<string> {
    const client = new ssh2.Client();
    const ended = new Promise<string>((done) => {
      client.once("ready", () => done("in"));
      client.once("error", (error) => done(error.level ?? error.message));
    });
    const { port = 0 } = gateway.ssh ?? {};
    client.connect({ host: "127.0.0.1", port, username: "web", privateKey: key.privateKey, algorithms: ALGORITHMS });
    targetLeg(client, { privateKey: key.privateKey, keyType: "ssh-ed25519", certificate });
    const how = await ended;
    client.destroy();
    return how;
  }

  test("is worth nothing with another key than the one in it, changed, or a host's, also to a client that shows it all the same", async () => {
    const [key, thief] = [await madeKey(), await madeKey()];
    const good = await certified(authority, key, GOOD);
    expect(await liesBy(key, good)).toBe("in");
    expect(await liesBy(thief, good)).toBe("client-authentication");
    const bobs = await certified(authority, key, ["-I", "a", "-n", "bob@shop.example", "-V", "-1m:+10m"]);
    const changed = Buffer.from(bobs);
    changed.write("ann", bobs.indexOf("bob@"));
    expect(await liesBy(key, changed)).toBe("client-authentication");
    expect(await liesBy(key, await certified(authority, key, ["-h", ...GOOD]))).toBe("client-authentication");
    for (const cut of [good.subarray(0, -1), good.subarray(0, 60), Buffer.concat([good, good])])
      expect(await liesBy(key, cut)).toBe("client-authentication");
  });
});
