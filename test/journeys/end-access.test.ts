import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { newestClosed, type Product, startProduct, type Terminal } from "../setup/product.ts";
import { libpqEnvironment } from "../setup/programs.ts";

/** Invariant 5. */
const PROMISE_MS = 5_000;
const MESSAGE = "your pass was revoked; the session has ended";

let product: Product;
let [alice, dave, job]: Terminal[] = [];
let issuer: string;
let newToken: (claims?: object) => Promise<string>;
let stopIssuer: () => void;

beforeAll(async () => {
  product = await startProduct();
  await startIssuer();
  [alice, dave, job] = await Promise.all([product.terminal(), product.terminal(), product.terminal()]);
  await Promise.all([alice?.signIn("alice"), dave?.signIn("dave")]);
});
afterAll(async () => {
  stopIssuer?.();
  await product?.close();
});

/** An issuer of workload tokens, as a cluster is one. */
async function startIssuer(): Promise<void> {
  const { privateKey, publicKey } = await generateKeyPair("ES256");
  const jwk = { ...(await exportJWK(publicKey)), kid: "k" };
  const server = createServer((request, response) => {
    const answers: Record<string, object> = {
      "/.well-known/openid-configuration": { issuer, jwks_uri: `${issuer}/jwks` },
      "/jwks": { keys: [jwk] },
    };
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify(answers[request.url ?? ""] ?? {}));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  stopIssuer = () => {
    server.close();
    server.closeAllConnections();
  };
  newToken = (claims = {}) =>
    new SignJWT({ sub: "system:serviceaccount:billing:reporter", aud: product.running.url, ...claims })
      .setProtectedHeader({ alg: "ES256", kid: "k" })
      .setIssuer(issuer)
      .setIssuedAt()
      .setExpirationTime("10 minutes")
      .sign(privateKey);
  const rules = [
    { match: { sub: "system:serviceaccount:billing:*" }, service: "reporter", groups: ["engineers"] },
    { match: { sub: "*", azp: "agent" }, person: true, groups: ["engineers"] },
  ];
  const services = { issuers: [{ issuer, audience: product.running.url, rules }] };
  await writeFile(join(product.directory, "config", "services.yaml"), JSON.stringify(services));
}

const terminal = (one: Terminal | undefined): Terminal => {
  if (one === undefined) throw new Error("there is no terminal");
  return one;
};

/** What the service is given by its token: as soon as the gateway has read the new file. */
async function passByToken(claims?: object): Promise<string> {
  for (let tries = 0; tries < 50; tries++) {
    const ran = await terminal(job).sallyport(["pass", "shop", "--token-file", "-"], { input: await newToken(claims) });
    if (ran.status === 0) return ran.text.trim();
    expect(ran.stderr).toContain("is not in services.yaml");
    await delay(100);
  }
  throw new Error("services.yaml was not read");
}

/** A psql that has shown its first row. */
async function livePsql(pass: string): Promise<{ psql: ChildProcess; ended: Promise<string> }> {
  const { host, port } = product.running.gateway;
  const sslrootcert = join(product.directory, "state", "tls", "ca.pem");
  const reached = { host, port: String(port), database: "shop", user: "x", sslmode: "verify-full", sslrootcert };
  const psql = spawn("psql", ["-XAt"], { env: libpqEnvironment({ ...reached, password: pass }) });
  let stderr = "";
  psql.stderr.on("data", (bytes: Buffer) => (stderr += bytes.toString()));
  psql.stdin.on("error", () => {});
  const ended = once(psql, "close").then(() => stderr);
  psql.stdin.write("select 'ready';\n");
  await Promise.race([once(psql.stdout, "data"), ended.then((said) => Promise.reject(new Error(said)))]);
  psql.stdin.write("select pg_sleep(120);\n");
  return { psql, ended };
}

const endAccess = (who: string) => terminal(dave).sallyport(["people", "end-access", who]);

describe("sallyport people end-access", () => {
  test("ends a person's psql within 5 s, signs them out, and lets their passes open nothing", async () => {
    const issued = await terminal(alice).sallyport(["pass", "shop"]);
    const { ended } = await livePsql(issued.text.trim());
    const ran = await endAccess("alice@shop.example");
    const at = performance.now();
    expect([ran.status, ran.text]).toEqual([
      0,
      expect.stringMatching(/alice@shop.example .*1 passes.*1 live sessions/),
    ]);
    expect(await ended).toContain(MESSAGE);
    expect(performance.now() - at).toBeLessThan(PROMISE_MS);
    expect(await newestClosed(await product.as("carol"))).toMatchObject({ reason: "pass-revoked" });
    expect((await terminal(alice).sallyport(["whoami"])).status).toBe(3);
    await expect(livePsql(issued.text.trim())).rejects.toThrow(/revoked/);
  });

  test("ends a service's psql within 5 s, and what is replayed of it tells that it was a service", async () => {
    const { ended } = await livePsql(await passByToken());
    const ran = await endAccess("service|reporter");
    const at = performance.now();
    expect([ran.status, ran.text]).toEqual([0, expect.stringContaining("reporter (service|reporter)")]);
    expect(await ended).toContain(MESSAGE);
    expect(performance.now() - at).toBeLessThan(PROMISE_MS);
    const carol = await product.as("carol");
    const { id } = await newestClosed(carol);
    expect(await carol.text({ path: `/api/sessions/${id}/transcript` })).toContain(
      "service reporter (service|reporter)",
    );
  });

  test("is refused to whoever is no administrator", async () => {
    await terminal(alice).signIn("alice");
    expect(await terminal(alice).sallyport(["people", "end-access", "dave@shop.example"])).toMatchObject({ status: 4 });
    expect(await endAccess("nobody@shop.example")).toMatchObject({ status: 4 });
  });
});

test("who acts for a person is told in the list of sessions and in the replay", async () => {
  const act = { sub: "support-agent", act: { sub: "tool" } };
  const { psql, ended } = await livePsql(await passByToken({ sub: "alice", azp: "agent", act }));
  psql.stdin?.end();
  psql.kill("SIGTERM");
  await ended;
  const carol = await product.as("carol");
  const { id, actors, principal } = await newestClosed(carol);
  expect([principal.id, actors]).toEqual([`${issuer}|alice`, [`${issuer}|support-agent`, `${issuer}|tool`]]);
  const transcript = await carol.text({ path: `/api/sessions/${id}/transcript` });
  expect(transcript).toContain(`Through     ${issuer}|support-agent, for ${issuer}|tool`);
});

describe("sallyport pass --token-file", () => {
  test("prints JSON where it is asked to, and a pass for one connection", async () => {
    const pass = await terminal(job).sallyport(["pass", "shop", "--json", "--token-env", "OUR_TOKEN"], {
      env: { OUR_TOKEN: await newToken() },
    });
    expect(JSON.parse(pass.text)).toMatchObject({ connection: "shop", pass: expect.stringMatching(/^sp_/) });
  });

  test("says what is wrong, by its words and its status", async () => {
    for (const [args, status, said] of [
      [["--token-file", "/nowhere"], 2, /cannot be read/],
      [["--token-env", "NOT_SET"], 2, /there is no JWT in the variable NOT_SET/],
      [["--token-env", "NOT_SET", "--aws"], 2, /give one of/],
      [["payroll", "--token-env", "OUR_TOKEN"], 4, /no connection 'payroll' for reporter/],
      [["--token-env", "STRANGER"], 4, /no rule of services.yaml matches this token: sub=stranger/],
    ] as const) {
      const env = { OUR_TOKEN: await newToken(), STRANGER: await newToken({ sub: "stranger" }) };
      const ran = await terminal(job).sallyport(["pass", ...args], { env });
      expect([ran.status, ran.stderr, ran.text]).toEqual([status, expect.stringMatching(said), ""]);
    }
  });
});
