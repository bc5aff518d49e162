import ssh2 from "ssh2";
import { X509Certificate, createPrivateKey } from "node:crypto";
import { describe, expect, it } from "vitest";
import { type Wanted, ensureSecret } from "../../../functions/deploy-secrets/ensure.ts";
import { newOpensshKey, opensshPublicKey } from "../../../functions/deploy-secrets/openssh-key.ts";
import { type MemoryVault, memoryVault } from "./memory-vault.ts";

const NOW = new Date("2026-11-28T12:00:00Z");
const KEY: Wanted = { kind: "key", secret: "arn:key", generation: 1 };
const SSH: Wanted = { kind: "ssh", secret: "arn:ssh", generation: 1 };
const TLS: Wanted = { kind: "tls", secret: "arn:tls", generation: 1, authority: "arn:ca", name: "gate.shop.example" };

let requests = 0;

async function ensure(
  vault: MemoryVault,
  ask: Wanted,
  before?: Wanted,
  request = `request-${requests++}`,
): Promise<string> {
  await ensureSecret({ vault, now: () => NOW }, ask, before, request);
  return (await vault.current(ask.secret)) ?? "";
}

function tlsOf(text: string): { cert: string; key: string; ca: string } {
  return JSON.parse(text) as { cert: string; key: string; ca: string };
}

describe("a deployment's secrets", () => {
  it("are made where there are none", async () => {
    const vault = memoryVault();
    expect(Buffer.from(await ensure(vault, KEY), "base64url")).toHaveLength(32);
    expect(await ensure(vault, SSH)).toMatch(/^-----BEGIN OPENSSH PRIVATE KEY-----\n/);
    expect(Object.keys(tlsOf(await ensure(vault, TLS))).toSorted()).toEqual(["ca", "cert", "key"]);
  });

  it("stay as they are at every later deployment, whoever put them there", async () => {
    for (const [ask, own] of [
      [KEY, "the operator's own"],
      [SSH, newOpensshKey()],
      [TLS, "the operator's own"],
    ] as const) {
      const vault = memoryVault();
      await vault.put(ask.secret, own, "request-of-theirs");
      expect(await ensure(vault, ask)).toBe(own);
      expect(await ensure(vault, ask, ask)).toBe(own);
    }
  });

  it("are made once by a request that CloudFormation repeats", async () => {
    const vault = memoryVault();
    const first = await ensure(vault, KEY, undefined, "request-again");
    expect(await ensure(vault, { ...KEY, generation: 2 }, KEY, "request-again")).toBe(first);
  });

  it("are replaced when their generation is raised, and only then", async () => {
    for (const ask of [KEY, SSH, TLS]) {
      const vault = memoryVault();
      const first = await ensure(vault, ask);
      const second = await ensure(vault, { ...ask, generation: 2 }, ask);
      expect(second).not.toBe(first);
      expect(await ensure(vault, { ...ask, generation: 2 }, { ...ask, generation: 2 })).toBe(second);
      expect(await ensure(vault, ask, { ...ask, generation: 2 }), "a generation that went back").toBe(second);
    }
  });
});

describe("the gateway's certificate", () => {
  it("is the host's, by an authority that outlives its replacement", async () => {
    const vault = memoryVault();
    const first = tlsOf(await ensure(vault, TLS));
    const second = tlsOf(await ensure(vault, { ...TLS, generation: 2 }, TLS));
    expect(second.ca).toBe(first.ca);
    for (const { cert, key, ca } of [first, second]) {
      const certificate = new X509Certificate(cert);
      expect(certificate.checkHost("gate.shop.example")).toBe("gate.shop.example");
      expect(certificate.checkHost("evil.example")).toBeUndefined();
      expect(certificate.verify(new X509Certificate(ca).publicKey)).toBe(true);
      expect(certificate.checkPrivateKey(createPrivateKey(key))).toBe(true);
    }
  });

  it("is made again when the host is renamed, unless it is the operator's", async () => {
    const renamed = { ...TLS, name: "door.shop.example" };
    const vault = memoryVault();
    await ensure(vault, TLS);
    const { cert } = tlsOf(await ensure(vault, renamed, TLS));
    expect(new X509Certificate(cert).checkHost("door.shop.example")).toBe("door.shop.example");

    const theirs = memoryVault();
    await theirs.put(TLS.secret, '{"cert":"theirs","key":"theirs","ca":"theirs"}', "request-of-theirs");
    expect(await ensure(theirs, renamed, TLS)).toContain("theirs");
  });

  it("is not made by an authority that is damaged, and the damage is not quoted", async () => {
    for (const damage of ["", "{", "hunter2", '{"cert":"hunter2"}', "null"]) {
      const vault = memoryVault();
      await vault.put("arn:ca", damage, "request-of-theirs");
      const failure = await ensure(vault, TLS).catch((thrown: unknown) => thrown);
      expect(failure).toMatchObject({ code: "configuration-invalid" });
      expect(`${(failure as Error).message} ${String((failure as Error).cause)}`).not.toContain("hunter2");
    }
  });
});

describe("the SSH host key", () => {
  it("is one that an SSH library reads, each time", () => {
    // 300: a key whose first byte is zero comes once in 256 times.
    for (let times = 0; times < 300; times++) {
      const parsed = ssh2.utils.parseKey(newOpensshKey());
      expect(parsed).toMatchObject({ type: "ssh-ed25519", comment: "sallyport" });
      expect((parsed as ssh2.ParsedKey).isPrivateKey()).toBe(true);
    }
  });

  it("has its public half told, and a key with a passphrase is none", async () => {
    const vault = memoryVault();
    const made = await ensureSecret({ vault, now: () => NOW }, SSH, undefined, "request-public");
    const parsed = ssh2.utils.parseKey((await vault.current(SSH.secret)) ?? "") as ssh2.ParsedKey;
    expect(made).toEqual({ publicKey: `ssh-ed25519 ${parsed.getPublicSSH().toString("base64")}` });
    const locked = ssh2.utils.generateKeyPairSync("ed25519", {
      passphrase: "hunter2",
      cipher: "aes256-ctr",
      rounds: 16,
    }).private;
    for (const wrong of [locked, "", "-----BEGIN OPENSSH PRIVATE KEY-----", newOpensshKey().slice(0, 90)])
      expect(opensshPublicKey(wrong)).toBeUndefined();
  });

  it("signs what its public half verifies", () => {
    const parsed = ssh2.utils.parseKey(newOpensshKey()) as ssh2.ParsedKey;
    const signature = parsed.sign("hello");
    const open = ssh2.utils.parseKey(`ssh-ed25519 ${parsed.getPublicSSH().toString("base64")}`) as ssh2.ParsedKey;
    expect(open.verify("hello", signature)).toBe(true);
    expect(open.verify("hullo", signature)).toBe(false);
  });
});
