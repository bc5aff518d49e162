import { KMSClient } from "@aws-sdk/client-kms";
import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { clientOptions } from "../../aws/client-options.ts";
import { ecdsaFromDer } from "../../aws/ecdsa-der.ts";
import { kmsSigner } from "../../aws/kms-signer.ts";
import { ANYBODY } from "../setup/moto.ts";

const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const spki = (key: KeyObject): string => key.export({ type: "spki", format: "der" }).toString("base64");

/** By the operation. */
let answers: Record<string, { readonly status: number; readonly body: object }>;
let asked: string[];
let server: Server;
let client: KMSClient;
beforeEach(async () => {
  asked = [];
  answers = { GetPublicKey: { status: 200, body: { PublicKey: spki(publicKey), KeyUsage: "SIGN_VERIFY" } } };
  server = createServer((request, response) => {
    const operation = String(request.headers["x-amz-target"]).replace("TrentService.", "");
    asked.push(operation);
    const { status, body } = answers[operation] ?? { status: 500, body: {} };
    request.resume();
    response.writeHead(status, { "content-type": "application/x-amz-json-1.1" }).end(JSON.stringify(body));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  client = new KMSClient({ ...clientOptions(), ...ANYBODY, endpoint });
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

describe("a signer of KMS", () => {
  it("asks for the public key once", async () => {
    const signer = await kmsSigner(client, "key");
    await signer.sign(Buffer.from("x")).catch(() => {});
    expect([signer.publicKey, signer.publicKey].map(({ crv }) => crv)).toEqual(["P-256", "P-256"]);
    expect(asked.filter((operation) => operation === "GetPublicKey")).toHaveLength(1);
  });

  it.each<[string, object]>([
    ["a key that encrypts", { PublicKey: spki(publicKey), KeyUsage: "ENCRYPT_DECRYPT" }],
    ["no key", { KeyUsage: "SIGN_VERIFY" }],
    ["nonsense", { PublicKey: "AAAA", KeyUsage: "SIGN_VERIFY" }],
    ...(["P-384", "secp256k1"] as const).map((namedCurve): [string, object] => [
      namedCurve,
      { PublicKey: spki(generateKeyPairSync("ec", { namedCurve }).publicKey), KeyUsage: "SIGN_VERIFY" },
    ]),
    [
      "RSA",
      { PublicKey: spki(generateKeyPairSync("rsa", { modulusLength: 2048 }).publicKey), KeyUsage: "SIGN_VERIFY" },
    ],
  ])("is not made of %s", async (_what, body) => {
    answers["GetPublicKey"] = { status: 200, body };
    await expect(kmsSigner(client, "key")).rejects.toMatchObject({ code: "configuration-invalid", message: /key/ });
  });

  it.each([
    [{ status: 400, body: { __type: "NotFoundException" } }, "configuration-invalid"],
    [{ status: 400, body: { __type: "AccessDeniedException" } }, "store-unavailable"],
    [{ status: 500, body: { __type: "KMSInternalException" } }, "store-unavailable"],
  ])("does not begin where KMS answers %j", async (answer, code) => {
    answers["GetPublicKey"] = answer;
    await expect(kmsSigner(client, "key")).rejects.toMatchObject({ code });
  });

  it("gives no signature that its public key does not verify", async () => {
    const signer = await kmsSigner(client, "key");
    const bytes = Buffer.from("manifest");
    const other = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
    for (const Signature of [sign("sha256", bytes, other).toString("base64"), "AAAA", ""]) {
      answers["Sign"] = { status: 200, body: { Signature } };
      await expect(signer.sign(bytes)).rejects.toMatchObject({ code: "store-unavailable" });
    }
    answers["Sign"] = { status: 400, body: { __type: "KMSInvalidStateException" } };
    await expect(signer.sign(bytes)).rejects.toMatchObject({ code: "store-unavailable" });
  });
});

describe("a signature in DER", () => {
  const der = (...ints: readonly number[][]): Buffer => {
    const body = ints.flatMap((int) => [2, int.length, ...int]);
    return Buffer.from([0x30, body.length, ...body]);
  };

  it("is r ‖ s, each of 32 bytes, however short or padded its numbers are", () => {
    const high = Array(32).fill(0xff) as number[];
    const cases: [number[], number[]][] = [
      [[1], [2]],
      [
        [0, 0x80],
        [0x7f, 0xff],
      ],
      [
        [0, ...high],
        [0, ...high],
      ],
    ];
    for (const [r, s] of cases) {
      const half = (int: number[]): Buffer => Buffer.concat([Buffer.alloc(33), Buffer.from(int)]).subarray(-32);
      expect(ecdsaFromDer(der(r, s))).toEqual(Buffer.concat([half(r), half(s)]));
    }
  });

  it("is nothing else", () => {
    const good = der([1], [2]);
    const hostile = [
      Buffer.alloc(0),
      good.subarray(0, -1),
      Buffer.concat([good, Buffer.alloc(1)]),
      Buffer.from([0x31, ...good.subarray(1)]),
      der([1]),
      der([1], [2], [3]),
      der([], [2]),
      der([0, 1], [2]), // padded for nothing
      der([0x80], [2]), // negative
      der(Array(33).fill(1) as number[], [2]),
      Buffer.from([0x30, 6, 2, 9, 1, 2, 1, 2]), // a number that is longer than the whole
      Buffer.from([0x30, 0x81, 6, ...good.subarray(2)]),
    ];
    for (const bytes of hostile) expect(ecdsaFromDer(bytes)).toBeUndefined();
  });
});
