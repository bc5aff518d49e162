import crypto, { createHash, generateKeyPairSync, type KeyObject } from "node:crypto";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import ssh2, { type Connection, type NegotiatedAlgorithms } from "ssh2";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ALGORITHMS } from "../../../gateway-task/ssh/algorithms.ts";
import { newHostKey } from "../../../gateway-task/ssh/host-key.ts";
import { clientExchange } from "../../../gateway-task/ssh/hybrid-exchange.ts";
import { clientLeg, targetLeg } from "../../../gateway-task/ssh/leg.ts";
import { string } from "../../setup/ssh-bytes.ts";
import { handMadeClient, type HandMadeClient } from "../../setup/ssh-key-exchange.ts";

const HYBRID = "mlkem768x25519-sha256";
let server: ssh2.Server;
let port: number;
let last: Connection;
/** What was agreed on, exchange by exchange, at the server. */
let agreed: string[];

beforeAll(async () => {
  const { privateKey: hostKey } = newHostKey();
  server = new ssh2.Server({ hostKeys: [hostKey], algorithms: ALGORITHMS }, (connection) => {
    clientLeg(connection);
    last = connection;
    connection.on("handshake", ({ kex }: NegotiatedAlgorithms) => agreed.push(kex));
    connection.on("authentication", (context) => context.accept());
    connection.on("error", () => {});
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  port = (server.address() as AddressInfo).port;
});

afterAll(() => void server.close());

const handMade = async (
  exchanges: readonly string[],
  use: (client: HandMadeClient) => Promise<void>,
): Promise<void> => {
  const client = await handMadeClient(port, exchanges);
  await use(client).finally(() => client.close());
};

const raw = (key: KeyObject): Buffer => key.export({ type: "spki", format: "der" });
const keyOf = (prefix: string, key: Buffer): KeyObject =>
  crypto.createPublicKey({ key: Buffer.concat([Buffer.from(prefix, "hex"), key]), type: "spki", format: "der" });

/** The client's half of the hybrid exchange, by node:crypto alone. */
function newShare(): { share: Buffer; secret: (answer: Buffer) => Buffer } {
  const [mlKem, x25519] = [generateKeyPairSync("ml-kem-768"), generateKeyPairSync("x25519")];
  return {
    share: Buffer.concat([raw(mlKem.publicKey).subarray(-1184), raw(x25519.publicKey).subarray(-32)]),
    secret(answer) {
      const first = crypto.decapsulate(mlKem.privateKey, answer.subarray(0, 1088));
      const publicKey = keyOf("302a300506032b656e032100", answer.subarray(1088));
      const second = crypto.diffieHellman({ privateKey: x25519.privateKey, publicKey });
      return createHash("sha256").update(first).update(second).digest();
    },
  };
}

describe("our server's key exchange", () => {
  test("is post-quantum first, with curve25519 behind it, and strict (Terrapin)", () =>
    handMade([HYBRID], async ({ offered }) => {
      expect(offered).toEqual([HYBRID, "curve25519-sha256", "curve25519-sha256@libssh.org", "kex-strict-s-v00@openssh.com"]); // prettier-ignore
    }));

  // A secret whose first byte is 128 or more, or 0, is where a string differs from an mpint.
  test("signs the hash, and derives the keys, of the hybrid secret as a string", async () => {
    agreed = [];
    for (let more = 8; more > 0; more--)
      await handMade([HYBRID, "ext-info-c"], async (client) => {
        const { share, secret } = newShare();
        const answer = await client.exchange(share);
        expect(answer?.share).toHaveLength(1088 + 32);
        const hashed = string(secret(answer?.share ?? Buffer.alloc(0)));
        expect(answer?.signed(hashed)).toBe(true);
        expect(answer?.signed(string(Buffer.alloc(32)))).toBe(false);
        const extensions = await answer?.firstEncrypted(hashed);
        const signatures = "ssh-ed25519,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,rsa-sha2-512,rsa-sha2-256"; // prettier-ignore
        expect(extensions).toEqual(Buffer.concat([Buffer.of(7, 0, 0, 0, 1), string("server-sig-algs"), string(signatures)])); // prettier-ignore
      });
    expect(agreed).toEqual(Array(8).fill(HYBRID));
  });

  test("still serves clients that know curve25519 alone", async () => {
    agreed = [];
    for (const name of ["curve25519-sha256", "curve25519-sha256@libssh.org"])
      await handMade([name, "ext-info-c"], async (client) => {
        const { publicKey, privateKey } = generateKeyPairSync("x25519");
        const answer = await client.exchange(raw(publicKey).subarray(-32));
        const theirs = keyOf("302a300506032b656e032100", answer?.share ?? Buffer.alloc(0));
        const hashed = mpint(crypto.diffieHellman({ privateKey, publicKey: theirs }));
        expect(answer?.signed(hashed)).toBe(true);
        expect((await answer?.firstEncrypted(hashed))?.[0]).toBe(7);
      });
    expect(agreed).toEqual(["curve25519-sha256", "curve25519-sha256@libssh.org"]);
  });

  test("refuses a share of a wrong length, of low order, or with no key of ML-KEM in it", async () => {
    const { share } = clientExchange();
    const bad = [
      Buffer.alloc(0),
      share.subarray(0, 1215),
      Buffer.concat([share, Buffer.of(0)]),
      Buffer.concat([share.subarray(0, 1184), Buffer.alloc(32)]),
      Buffer.concat([Buffer.alloc(1184, 0xff), share.subarray(1184)]),
    ];
    for (const one of bad)
      await handMade([HYBRID], async (client) => expect(await client.exchange(one)).toBeUndefined());
  });

  test("is not to be had by a name that it does not offer", () =>
    handMade(["ecdh-sha2-nistp256"], async (client) => {
      expect(await client.exchange(newShare().share)).toBeUndefined();
    }));
});

describe("our client's key exchange", () => {
  async function connected(kex: readonly string[], rekeys = 0): Promise<string[]> {
    agreed = [];
    const client = new ssh2.Client();
    client.connect({ host: "127.0.0.1", port, username: "u", algorithms: { ...ALGORITHMS, kex: kex as never }, hostVerifier: () => true }); // prettier-ignore
    targetLeg(client);
    const done: string[] = [];
    client.on("handshake", ({ kex: name }) => done.push(name));
    await once(client, "ready");
    for (let more = rekeys; more > 0; more--) {
      const both = [once(client, "handshake"), once(last, "rekey")];
      last.rekey();
      await Promise.all(both);
    }
    client.end();
    await once(client, "close");
    return done;
  }

  test("is the hybrid one where the target has it, again and again", async () => {
    expect(await connected(ALGORITHMS.kex, 3)).toEqual(Array(4).fill(HYBRID));
    expect(agreed).toEqual(Array(4).fill(HYBRID));
  });

  test("is curve25519 where it has not", async () => {
    expect(await connected(["curve25519-sha256"], 1)).toEqual(Array(2).fill("curve25519-sha256"));
  });
});

/** RFC 4251 §5, of a positive number. */
function mpint(bytes: Buffer): Buffer {
  const from = bytes.findIndex((byte) => byte !== 0);
  const number = bytes.subarray(from);
  return string((number[0] as number) & 0x80 ? Buffer.concat([Buffer.of(0), number]) : number);
}
