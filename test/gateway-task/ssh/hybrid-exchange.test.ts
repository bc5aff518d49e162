import crypto, { createHash, generateKeyPairSync, type KeyObject, randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import { clientExchange, serverExchange, spent } from "../../../gateway-task/ssh/hybrid-exchange.ts";

const keyOf = (prefix: string, key: Buffer): KeyObject =>
  crypto.createPublicKey({ key: Buffer.concat([Buffer.from(prefix, "hex"), key]), type: "spki", format: "der" });
const raw = (key: KeyObject, bytes: number): Buffer => key.export({ type: "spki", format: "der" }).subarray(-bytes);

/** RFC 7748 §6.1: what is agreed with these is known to everybody. */
const LOW_ORDER = [
  "0000000000000000000000000000000000000000000000000000000000000000",
  "0100000000000000000000000000000000000000000000000000000000000000",
  "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
  "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
].map((hex) => Buffer.from(hex, "hex"));

describe("the exchange mlkem768x25519-sha256", () => {
  test("gives both sides one secret of 32 bytes, another one every time", () => {
    const secrets = Array.from({ length: 3 }, () => {
      const [client, server] = [clientExchange(), serverExchange()];
      const secret = server.secret(client.share);
      expect([client.share.length, server.share.length]).toEqual([1184 + 32, 1088 + 32]);
      expect(client.secret(server.share)).toEqual(secret);
      return secret.toString("hex");
    });
    expect(new Set(secrets).size).toBe(3);
    expect(secrets[0]).toHaveLength(64);
  });

  test("hashes the secret of ML-KEM before that of X25519 (draft-ietf-sshm-mlkem-hybrid-kex §2.4)", () => {
    const client = clientExchange();
    const mlKem = keyOf("308204b2300b0609608648016503040402038204a100", client.share.subarray(0, 1184));
    const point = keyOf("302a300506032b656e032100", client.share.subarray(1184));
    const { sharedKey, ciphertext } = crypto.encapsulate(mlKem);
    const ours = generateKeyPairSync("x25519");
    const agreed = crypto.diffieHellman({ privateKey: ours.privateKey, publicKey: point });
    const secret = client.secret(Buffer.concat([ciphertext, raw(ours.publicKey, 32)]));
    expect(secret).toEqual(createHash("sha256").update(sharedKey).update(agreed).digest());
  });

  test("takes no share of another length", () => {
    for (const bytes of [0, 32, 1119, 1120, 1121, 1184, 1215, 1217, 4096]) {
      if (bytes !== 1120) expect(() => clientExchange().secret(randomBytes(bytes))).toThrow(/share of/);
      expect(() => serverExchange().secret(randomBytes(bytes))).toThrow(/share of/);
    }
  });

  test("takes no point of low order, and no key that is none of ML-KEM", () => {
    const { share } = clientExchange();
    const answer = serverExchange();
    const client = clientExchange();
    answer.secret(client.share);
    for (const point of LOW_ORDER) {
      expect(() => serverExchange().secret(Buffer.concat([share.subarray(0, 1184), point]))).toThrow();
      expect(() => client.secret(Buffer.concat([answer.share.subarray(0, 1088), point]))).toThrow();
    }
    const noKey = Buffer.concat([Buffer.alloc(1184, 0xff), share.subarray(1184)]); // coefficients above the modulus
    expect(() => serverExchange().secret(noKey)).toThrow();
  });

  test("gives another secret where a share was changed on its way", () => {
    const [client, server] = [clientExchange(), serverExchange()];
    const secret = server.secret(client.share);
    for (const at of [0, 1087, 1088]) {
      const changed = Buffer.from(server.share);
      changed[at] = (changed[at] as number) ^ 1;
      expect(client.secret(changed)).not.toEqual(secret);
    }
  });

  test("has no keys any more once it is spent", () => {
    const { share } = clientExchange();
    expect(spent(share).share).toBe(share);
    expect(() => spent(share).secret(Buffer.alloc(1120))).toThrow(/have been used/);
  });
});
