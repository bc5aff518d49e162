import { X509Certificate } from "node:crypto";
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { givenCertificate, ownCertificate } from "../../cli/certificates.ts";
import { run } from "../setup/programs.ts";

const NAMES = ["localhost", "127.0.0.1", "::1", "gateway.example"];
const NOW = new Date();
const DAY_MS = 86_400_000;

let parent: string;
let folder: string;
beforeAll(async () => void (parent = await mkdtemp(join(tmpdir(), "sallyport-test-tls-"))));
beforeEach(async () => void (folder = join(await mkdtemp(join(parent, "x-")), "tls")));
afterAll(async () => rm(parent, { recursive: true, force: true }));

const openssl = async (...args: string[]) => run("openssl", args);

describe("the gateway's own certificate", () => {
  test("is good for every one of its names, and for no other, to a verifier of someone else's", async () => {
    await ownCertificate(folder, NAMES, NOW);
    const [ca, server] = [join(folder, "ca.pem"), join(folder, "server.pem")];
    const verify = async (option: string, name: string) =>
      (await openssl("verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", ca, option, name, server)).status;
    for (const name of ["localhost", "gateway.example"]) expect([name, await verify("-verify_hostname", name)]).toEqual([name, 0]); // prettier-ignore
    for (const ip of ["127.0.0.1", "::1"]) expect([ip, await verify("-verify_ip", ip)]).toEqual([ip, 0]);
    expect(await verify("-verify_hostname", "other.example")).not.toBe(0);
    expect(await verify("-verify_ip", "127.0.0.2")).not.toBe(0);
  });

  test("cannot vouch for others", async () => {
    const { cert, ca } = await ownCertificate(folder, NAMES, NOW);
    expect([new X509Certificate(cert).ca, new X509Certificate(ca).ca]).toEqual([false, true]);
    const { stdout } = await openssl("x509", "-in", join(folder, "ca.pem"), "-noout", "-ext", "basicConstraints");
    expect(stdout.toString()).toContain("CA:TRUE, pathlen:0");
  });

  test("has keys that only their owner can read, and refuses them once others can", async () => {
    await ownCertificate(folder, NAMES, NOW);
    for (const name of ["ca-key.pem", "server-key.pem"]) {
      expect((await stat(join(folder, name))).mode & 0o777).toBe(0o600);
      await chmod(join(folder, name), 0o640);
      await expect(ownCertificate(folder, NAMES, NOW)).rejects.toMatchObject({ code: "configuration-invalid" });
      await chmod(join(folder, name), 0o600);
    }
    expect((await stat(folder)).mode & 0o777).toBe(0o700);
  });

  test("stays the same from start to start", async () => {
    const first = await ownCertificate(folder, NAMES, NOW);
    expect(await ownCertificate(folder, NAMES.slice(1), NOW)).toEqual(first);
  });

  test.each([
    ["its names change", [...NAMES, "new.example"], NOW],
    ["it is about to run out", NAMES, new Date(NOW.getTime() + 340 * DAY_MS)],
  ])("is made again when %s, by the same authority", async (_when, names, at) => {
    const first = await ownCertificate(folder, NAMES, NOW);
    const second = await ownCertificate(folder, names, at);
    expect(second.ca).toBe(first.ca);
    expect(second.cert).not.toBe(first.cert);
    expect(second.key).not.toBe(first.key);
    expect(Date.parse(new X509Certificate(second.cert).validTo) - at.getTime()).toBeGreaterThan(390 * DAY_MS);
  });

  test("is made again where its own files do not fit together", async () => {
    const first = await ownCertificate(folder, NAMES, NOW);
    await writeFile(join(folder, "server-key.pem"), await readFile(join(folder, "ca-key.pem")));
    const second = await ownCertificate(folder, NAMES, NOW);
    expect(new X509Certificate(second.cert).publicKey.equals(new X509Certificate(first.cert).publicKey)).toBe(false);
    expect(second.ca).toBe(first.ca);
  });

  test.each(["ca-key.pem", "ca.pem"])(
    "is not made by a new authority behind its clients' backs when %s is damaged",
    async (name) => {
      await ownCertificate(folder, NAMES, NOW);
      await writeFile(join(folder, name), "damaged");
      await expect(ownCertificate(folder, NAMES, NOW)).rejects.toMatchObject({ code: "configuration-invalid" });
    },
  );
});

describe("an operator's certificate", () => {
  test("is taken where its key and authority belong to it", async () => {
    const own = await ownCertificate(folder, NAMES, NOW);
    const files = { cert: join(folder, "server.pem"), key: join(folder, "server-key.pem"), ca: join(folder, "ca.pem") };
    expect(await givenCertificate(files)).toEqual(own);
  });

  test.each([
    { cert: "server.pem", key: "ca-key.pem", ca: "ca.pem" },
    { cert: "ca-key.pem", key: "server-key.pem", ca: "ca.pem" },
    { cert: "server.pem", key: "server-key.pem", ca: "ca-key.pem" },
    { cert: "server.pem", key: "server-key.pem", ca: "missing.pem" },
  ])("is refused where %j do not fit together", async ({ cert, key, ca }) => {
    await ownCertificate(folder, NAMES, NOW);
    const files = { cert: join(folder, cert), key: join(folder, key), ca: join(folder, ca) };
    await expect(givenCertificate(files)).rejects.toMatchObject({ code: "configuration-invalid" });
  });
});
