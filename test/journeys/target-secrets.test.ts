import { randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { TokenFor } from "../../core/ports/target-tokens.ts";
import type { RunningPostgres } from "../../local/embedded-postgres.ts";
import { testAuthority, type TestAuthority } from "../setup/certificates.ts";
import { startTestGateway, type TestGateway, type TestGatewayOptions } from "../setup/gateway.ts";
import { postgresServers } from "../setup/postgres.ts";

/** Column rules: the gateway reads the catalog by a log-in of its own, after the session's. */
const MASKING = { columns: [{ name: "emails", columns: ["people.email"], style: "full" }] };

describe.each(postgresServers())("what PostgreSQL $version is logged in to with", (which) => {
  let scratch: string;
  let authority: TestAuthority;
  let server: RunningPostgres;
  let admin: pg.Client;
  let gateway: TestGateway;
  beforeAll(async () => {
    scratch = await mkdtemp(join(tmpdir(), "sallyport-test-target-secrets-"));
    authority = await testAuthority(scratch);
    const hba = ["host all postgres 127.0.0.1/32 scram-sha-256", "hostssl all iam_app 127.0.0.1/32 password", "hostssl all app 127.0.0.1/32 scram-sha-256"]; // prettier-ignore
    server = await which.start({ tls: await authority.issue("127.0.0.1"), hba });
    const { host, port, superuser: user, password } = server;
    admin = new pg.Client({ host, port, user, password, database: "postgres" });
    await admin.connect();
    await admin.query("create table people (email text); insert into people values ('canary@canary.example')");
    for (const role of ["iam_app", "app"])
      await admin.query(`create role ${role} login; grant select on people to ${role}`);
  });
  afterEach(async () => gateway.close());
  afterAll(async () => {
    await admin.end();
    await server.stop();
    await rm(scratch, { recursive: true });
  });

  const start = async (
    target: Pick<TestGatewayOptions["target"], "user" | "iam" | "password">,
    over: Partial<TestGatewayOptions>,
  ): Promise<void> => {
    const { host, port } = server;
    gateway = await startTestGateway({
      target: { host, port, tls: { ca: authority.ca }, ...target },
      masking: MASKING,
      ...over,
    });
  };
  const emailsSeen = async (): Promise<unknown[]> => {
    const ssl = { ca: await readFile(gateway.caFile, "utf8") };
    const { host, port } = gateway;
    const client = new pg.Client({ host, port, ssl, user: "me", database: "shop", password: await gateway.pass() });
    await client.connect();
    const { rows } = await client.query<{ email: string }>("select email from people");
    await client.end();
    return rows.map(({ email }) => email);
  };
  /** One at a time: from then on no other password opens the role. */
  const setPassword = async (role: string, password: string): Promise<void> => {
    await admin.query(`alter role ${role} password '${password}'`);
  };

  test("is a new token for each log-in, the catalog's too, which is kept nowhere", async () => {
    const asked: TokenFor[] = [];
    const tokens: string[] = [];
    const token = async (one: TokenFor): Promise<string> => {
      asked.push(one);
      const made = `${one.host}:${one.port}/?Action=connect&X-Amz-Signature=${randomBytes(400).toString("hex")}`;
      tokens.push(made);
      await setPassword("iam_app", made);
      return made;
    };
    await start({ user: "iam_app", iam: true }, { targetTokens: { token } });
    expect(await emailsSeen()).not.toEqual(["canary@canary.example"]);
    const one = { host: "127.0.0.1", port: server.port, user: "iam_app", region: undefined };
    expect(asked).toEqual([one, one]);
    await gateway.lastClosed();
    const kept = await gateway.everythingKept();
    for (const made of tokens) expect(kept.includes(made)).toBe(false);
  });

  test("is nothing where there is nobody to make tokens, which the client is told", async () => {
    await start({ user: "iam_app", iam: true }, {});
    await expect(emailsSeen()).rejects.toMatchObject({ message: expect.stringContaining("logs in by IAM") });
  });

  test("is the password that it was rotated to, while the gateway still remembers the one before", async () => {
    await setPassword("app", "new");
    let known = "old";
    const asked: (string | undefined)[] = [];
    const get = async (_name: string, fresh?: "fresh"): Promise<string> => {
      asked.push(fresh);
      return fresh ? (known = "new") : known;
    };
    await start({ user: "app", password: "as the secret says" }, { secrets: { get } });
    expect(await emailsSeen()).toHaveLength(1);
    expect(asked).toEqual([undefined, "fresh", undefined]);
    await setPassword("app", "newest");
    await expect(emailsSeen()).rejects.toMatchObject({ message: expect.stringContaining("refuses the connection") });
    expect(asked).toEqual([undefined, "fresh", undefined, undefined, "fresh"]);
  });
});
