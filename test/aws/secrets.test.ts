import { SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { clientOptions } from "../../aws/client-options.ts";
import { managedSecrets } from "../../aws/secrets.ts";
import { ANYBODY } from "../setup/moto.ts";

interface Answer {
  readonly status: number;
  readonly body: object;
}

/** By the secret's id. */
let answers: Map<string, Answer>;
let asked: string[];
let now: number;
let server: Server;
let client: SecretsManagerClient;
beforeEach(async () => {
  [answers, asked, now] = [new Map(), [], 1_000_000];
  server = createServer((request, response) => {
    void (async () => {
      const parts: Buffer[] = [];
      for await (const part of request as AsyncIterable<Buffer>) parts.push(part);
      const { SecretId } = JSON.parse(Buffer.concat(parts).toString()) as { SecretId: string };
      asked.push(SecretId);
      const { status, body } = answers.get(SecretId) ?? fault("ResourceNotFoundException");
      response.writeHead(status, { "content-type": "application/x-amz-json-1.1" }).end(JSON.stringify(body));
    })();
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  client = new SecretsManagerClient({ ...clientOptions(), ...ANYBODY, endpoint });
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

const fault = (__type: string, status = 400): Answer => ({ status, body: { __type, message: "" } });
const text = (SecretString: string): Answer => ({ status: 200, body: { SecretString } });
const MINUTE = 60_000;
const secretsOf = () => managedSecrets({ client, prefix: "sallyport/targets/", clock: () => now });

describe("secrets of Secrets Manager", () => {
  it("have the deployment's prefix, and those that RDS keeps have the names that RDS gave them", async () => {
    answers.set("sallyport/targets/shop", text("one"));
    answers.set("rds!db-0a1b", text('{"username":"admin","password":"of RDS"}'));
    const secrets = secretsOf();
    expect([await secrets.get("shop"), await secrets.get("rds!db-0a1b")]).toEqual(["one", "of RDS"]);
    for (const name of ["rds!", "rds!../x", "rds!db/x", "x!y"])
      await expect(secrets.get(name)).rejects.toMatchObject({ code: "not-found" });
    expect(asked).toEqual(["sallyport/targets/shop", "rds!db-0a1b"]);
  });

  it("are asked for once in five minutes, however many ask, and again for whoever was refused", async () => {
    answers.set("sallyport/targets/shop", text("old"));
    const secrets = secretsOf();
    expect(await Promise.all([secrets.get("shop"), secrets.get("shop"), secrets.get("shop")])).toEqual(
      Array(3).fill("old"),
    );
    answers.set("sallyport/targets/shop", text("new"));
    now += 5 * MINUTE - 1;
    expect(await secrets.get("shop")).toBe("old");
    expect(asked).toHaveLength(1);
    now += 1;
    expect(await secrets.get("shop")).toBe("new");
    answers.set("sallyport/targets/shop", text("newest"));
    expect(await secrets.get("shop", "fresh")).toBe("newest");
    expect(await secrets.get("shop")).toBe("newest");
    expect(asked).toHaveLength(3);
  });

  it("are not given beyond their time in an outage, and a failure is not remembered", async () => {
    answers.set("sallyport/targets/shop", text("one"));
    const secrets = secretsOf();
    await secrets.get("shop");
    now += 5 * MINUTE;
    answers.set("sallyport/targets/shop", fault("InternalServiceError", 500));
    await expect(secrets.get("shop")).rejects.toMatchObject({ code: "store-unavailable" });
    answers.set("sallyport/targets/shop", text("two"));
    expect(await secrets.get("shop")).toBe("two");
  });

  it("are a thousand in memory at most", async () => {
    const secrets = secretsOf();
    for (let n = 0; n <= 1_000; n++) {
      answers.set(`sallyport/targets/s${n}`, text(String(n)));
      await secrets.get(`s${n}`);
    }
    asked = [];
    expect([await secrets.get("s1000"), await secrets.get("s1"), await secrets.get("s0")]).toEqual(["1000", "1", "0"]);
    expect(asked).toEqual(["sallyport/targets/s0"]);
  });

  it.each([
    ["ResourceNotFoundException", 400, "not-found"],
    ["AccessDeniedException", 400, "store-unavailable"],
    ["DecryptionFailure", 400, "store-unavailable"],
    ["InternalServiceError", 500, "store-unavailable"],
  ])("that cannot be had (%s) say why in the port's word", async (code, status, expected) => {
    answers.set("sallyport/targets/shop", fault(code, status));
    await expect(secretsOf().get("shop")).rejects.toMatchObject({ code: expected });
  });

  it("that are no text are none", async () => {
    answers.set("sallyport/targets/shop", { status: 200, body: { SecretBinary: "AAEC" } });
    await expect(secretsOf().get("shop")).rejects.toMatchObject({ code: "not-found", message: /is no text/ });
  });
});
