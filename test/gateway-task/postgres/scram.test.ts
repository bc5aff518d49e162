import { createHash, createHmac, pbkdf2Sync, randomBytes, type X509Certificate } from "node:crypto";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { endPointBinding, startScram, type ScramStart } from "../../../gateway-task/postgres/scram.ts";

const untrusted = expect.objectContaining({ code: "target-untrusted" });
const PLAIN = ["SCRAM-SHA-256"];

/** RFC 7677 §3. */
const RFC = {
  user: "user",
  password: "pencil",
  nonce: "rOprNGfwEbeRWgbNEkqO",
  clientFirst: "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
  serverFirst: "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
  clientFinal:
    "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
  serverFinal: "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
};

/** A server that knows the password's verifier (RFC 5802 §3), and what it makes of a client's messages. */
function server(password: string, iterations = 4096) {
  const salt = randomBytes(16);
  const salted = pbkdf2Sync(password, salt, iterations, 32, "sha256");
  const hmac = (key: Buffer, text: string): Buffer => createHmac("sha256", key).update(text).digest();
  const storedKey = createHash("sha256").update(hmac(salted, "Client Key")).digest();
  return {
    first: ({ clientFirst }: ScramStart) => {
      const nonce = clientFirst.slice(clientFirst.indexOf(",r=") + 3) + randomBytes(9).toString("base64");
      return `r=${nonce},s=${salt.toString("base64")},i=${iterations}`;
    },
    /** The final message, if the proof is right. */
    final: ({ clientFirst }: ScramStart, serverFirst: string, clientFinal: string): string | undefined => {
      const bare = clientFirst.slice(clientFirst.indexOf("n=", 1));
      const [withoutProof = "", proof = ""] = clientFinal.split(",p=");
      const message = `${bare},${serverFirst},${withoutProof}`;
      const signature = hmac(storedKey, message);
      const key = Buffer.from(Buffer.from(proof, "base64").map((byte, at) => byte ^ (signature[at] ?? 0)));
      if (!createHash("sha256").update(key).digest().equals(storedKey)) return undefined;
      return `v=${hmac(hmac(salted, "Server Key"), message).toString("base64")}`;
    },
  };
}

describe("SCRAM-SHA-256", () => {
  test("gives the messages of RFC 7677's example", async () => {
    const scram = startScram(PLAIN, RFC.password, undefined, { user: RFC.user, nonce: RFC.nonce });
    expect(scram.mechanism).toBe("SCRAM-SHA-256");
    expect(scram.clientFirst).toBe(RFC.clientFirst);
    const { clientFinal, verify } = await scram.answer(RFC.serverFirst);
    expect(clientFinal).toBe(RFC.clientFinal);
    verify(RFC.serverFinal);
    for (const wrong of [RFC.serverFinal.replace("6", "7"), "v=", "v=AAAA", "e=invalid-proof", "", "6rri", "V=x"])
      expect(() => verify(wrong), wrong).toThrow(untrusted);
  });

  test("proves any password to a server that knows its verifier, and no other password", async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ minLength: 1 }), async (password) => {
        const knowing = server(password, 1_000);
        for (const [tried, right] of [
          [password, true],
          [`${password}x`, false],
        ] as const) {
          const scram = startScram(PLAIN, tried, undefined);
          const first = knowing.first(scram);
          const { clientFinal, verify } = await scram.answer(first);
          const final = knowing.final(scram, first, clientFinal);
          expect(final !== undefined).toBe(right);
          if (final !== undefined) verify(final);
        }
      }),
      { numRuns: 30 },
    );
  });

  test("never uses a nonce twice, and sends the password in no message", async () => {
    const starts = Array.from({ length: 50 }, () => startScram(PLAIN, "s3cr3t", undefined));
    expect(new Set(starts.map(({ clientFirst }) => clientFirst)).size).toBe(50);
    const scram = starts[0] as ScramStart;
    const { clientFinal } = await scram.answer(server("s3cr3t").first(scram));
    expect(scram.clientFirst + clientFinal).not.toContain("s3cr3t");
  });
});

describe("a hostile server", () => {
  const nonce = RFC.nonce;
  const salt = "W22ZaJ0SNY7soEsUEjb6gQ==";
  test.each([
    ["a nonce of its own", `r=other,s=${salt},i=4096`],
    ["our nonce with nothing added", `r=${nonce},s=${salt},i=4096`],
    ["the beginning of our nonce", `r=${nonce.slice(0, 10)},s=${salt},i=4096`],
    ["too few iterations", `r=${nonce}x,s=${salt},i=1`],
    ["more iterations than anyone needs", `r=${nonce}x,s=${salt},i=999999999`],
    ["iterations that are no number", `r=${nonce}x,s=${salt},i=4e3`],
    ["negative iterations", `r=${nonce}x,s=${salt},i=-4096`],
    ["no iterations", `r=${nonce}x,s=${salt}`],
    ["no salt", `r=${nonce}x,i=4096`],
    ["an empty salt", `r=${nonce}x,s=,i=4096`],
    ["a mandatory extension (RFC 5802 §5.1)", `m=ext,r=${nonce}x,s=${salt},i=4096`],
    ["an error", "e=other-error"],
    ["nothing", ""],
    ["noise", "\0\x01,,,===\n"],
  ])("with %s is not trusted", async (_what, serverFirst) => {
    const scram = startScram(PLAIN, "pencil", undefined, { user: "", nonce });
    await expect(scram.answer(serverFirst)).rejects.toThrow(untrusted);
  });

  test("with any bytes at all gets no proof that it could try out", async () => {
    await fc.assert(
      fc.asyncProperty(fc.string(), async (serverFirst) => {
        await expect(startScram(PLAIN, "pencil", undefined).answer(serverFirst)).rejects.toThrow(untrusted);
      }),
    );
  });

  test("that does not know the verifier cannot sign", async () => {
    const scram = startScram(PLAIN, "pencil", undefined);
    const impostor = server("guess", 4096);
    const { verify } = await scram.answer(impostor.first(scram));
    expect(() => verify(`v=${randomBytes(32).toString("base64")}`)).toThrow(untrusted);
  });
});

describe("mechanisms and channel binding", () => {
  const binding = randomBytes(32);
  const headerOf = async (scram: ScramStart): Promise<Buffer> => {
    const { clientFinal } = await scram.answer(server("pencil").first(scram));
    return Buffer.from(/^c=([^,]*)/.exec(clientFinal)?.[1] ?? "", "base64");
  };

  test("the channel is bound where both can", async () => {
    const scram = startScram(["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"], "pencil", binding);
    expect(scram.mechanism).toBe("SCRAM-SHA-256-PLUS");
    expect(await headerOf(scram)).toEqual(Buffer.concat([Buffer.from("p=tls-server-end-point,,"), binding]));
  });

  test("a server inside TLS that does not offer it learns that we could have, so that a downgrade shows", async () => {
    const scram = startScram(PLAIN, "pencil", binding);
    expect(scram.mechanism).toBe("SCRAM-SHA-256");
    expect((await headerOf(scram)).toString()).toBe("y,,");
  });

  test("without TLS there is nothing to bind to", async () => {
    expect((await headerOf(startScram([...PLAIN, "SCRAM-SHA-256-PLUS"], "pencil", undefined))).toString()).toBe("n,,");
  });

  test.each([[[]], [["SCRAM-SHA-1"]], [["SCRAM-SHA-256-PLUS"]], [["OAUTHBEARER", "PLAIN"]]])(
    "a server that offers only %j is refused",
    (offered) => {
      expect(() => startScram(offered, "pencil", undefined)).toThrow(
        expect.objectContaining({ code: "target-refused" }),
      );
    },
  );

  test("a certificate is hashed by its signature's hash, with SHA-256 for MD5 and SHA-1 (RFC 5929 §4.1)", () => {
    const raw = Buffer.from("certificate");
    const bound = (signatureAlgorithm: string): string | undefined =>
      endPointBinding({ signatureAlgorithm, raw } as unknown as X509Certificate)?.toString("hex");
    const by = (hash: string): string => createHash(hash).update(raw).digest("hex");
    for (const name of [
      "sha256WithRSAEncryption",
      "ecdsa-with-SHA256",
      "sha1WithRSAEncryption",
      "ecdsa-with-SHA1",
      "md5WithRSAEncryption",
    ])
      expect(bound(name), name).toBe(by("sha256"));
    for (const name of ["sha384WithRSAEncryption", "ecdsa-with-SHA384"]) expect(bound(name), name).toBe(by("sha384"));
    for (const name of ["sha512WithRSAEncryption", "ecdsa-with-SHA512"]) expect(bound(name), name).toBe(by("sha512"));
    for (const name of ["ED25519", "ED448", ""]) expect(bound(name), name).toBeUndefined();
  });
});
