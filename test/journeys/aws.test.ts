import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import net, { type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import { afterAll, beforeAll, expect, it } from "vitest";
import { apiSettings } from "../../aws/api-settings.ts";
import { ENVIRONMENT } from "../../aws/environment.ts";
import { libpqEnvironment } from "../../cli/psql.ts";
import type { PrincipalId } from "../../core/identity/principal.ts";
import { issueSessionToken } from "../../core/identity/session-token.ts";
import type { TokenId } from "../../core/ports/sign-in-store.ts";
import { bundleGatewayTask } from "../../gateway-task/bundle.ts";
import { apiEvent, LAMBDA_CONTEXT } from "../functions/api-events.ts";
import { type AwsShop, startAwsShop } from "../setup/aws-shop.ts";
import { type AwsStage, startAwsStage } from "../setup/aws-stage.ts";
import {
  entryPointOf,
  type GatewayTaskProcess,
  startGatewayTask,
  writableFolder,
} from "../setup/gateway-task-process.ts";
import { describeWithMoto } from "../setup/moto.ts";
import { psql } from "../setup/programs.ts";

const OUTAGE_MS = 30_000;

/** Passes connections on to an engine, or, while it is down, resets them. */
async function breakable(endpoint: string) {
  const { hostname, port } = new URL(endpoint);
  const live = new Set<net.Socket>();
  const fault = { down: false, refused: 0 };
  const server = net.createServer((near) => {
    near.on("error", () => {});
    if (fault.down) {
      fault.refused += 1;
      near.resetAndDestroy();
      return;
    }
    const far = net.connect(Number(port), hostname);
    far.on("error", () => near.destroy());
    far.on("close", () => near.destroy());
    near.on("close", () => {
      far.destroy();
      live.delete(near);
    });
    live.add(near);
    near.pipe(far).pipe(near);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    fault,
    fail() {
      fault.down = true;
      for (const socket of live) socket.destroy();
    },
    close() {
      server.close();
      for (const socket of live) socket.destroy();
    },
  };
}

describeWithMoto("the gateway's task and the functions on the AWS adapters", () => {
  let directory: string;
  let stage: AwsStage;
  let shop: AwsShop;
  let task: GatewayTaskProcess;
  let s3: Awaited<ReturnType<typeof breakable>>;
  let pass: string;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "sallyport-aws-"));
    await chmod(directory, 0o755);
    const bundle = join(directory, "image");
    await bundleGatewayTask(bundle);
    await chmod(bundle, 0o555);
    stage = await startAwsStage(join(directory, "stage"), async (engine, endpoint) => {
      if (engine === "dynamodb") return endpoint;
      s3 = await breakable(endpoint);
      return s3.address;
    });
    shop = await startAwsShop(stage);
    pass = await shop.pass("Ana");
    const spool = await writableFolder(join(directory, "spool"));
    const environment = { ...stage.environment, SALLYPORT_SPOOL: spool };
    task = await startGatewayTask(bundle, await entryPointOf("gateway-task/Dockerfile"), environment);
  }, 120_000);
  afterAll(async () => {
    task.child.kill("SIGKILL");
    await task.ended;
    await shop.close();
    s3.close();
    await stage.close();
    await chmod(join(directory, "image"), 0o755);
    await rm(directory, { recursive: true, force: true });
  });

  it("records psql into S3 and DynamoDB, and replays it through the API", async () => {
    const { caFile } = stage.authority;
    const login = { host: "127.0.0.1", port: task.ports.postgres, database: "shop", user: "ana", pass, caFile };
    expect((await psql(libpqEnvironment(login), "-c", "select 6 * 7")).trim()).toBe("42");
    const { row } = await shop.lastClosed();
    Object.assign(process.env, { [ENVIRONMENT.auditors]: "auditors", [ENVIRONMENT.admins]: "admins" });
    const { handler } = await import("../../functions/replay/handler.ts");
    const ana = { kind: "user" as const, id: "test|Ana" as PrincipalId, name: "Ana", groups: ["engineers"] };
    const { baseUrl, tokenKey } = await apiSettings(process.env);
    const authority = { issuer: baseUrl, key: tokenKey };
    const token = await issueSessionToken(authority, "cli", ana, randomUUID() as TokenId, Date.now());
    const event = apiEvent({
      path: `/api/sessions/${row.id}/statements`,
      headers: { authorization: `Bearer ${token}` },
    });
    const answer = await handler(event, LAMBDA_CONTEXT);
    expect(answer.statusCode, answer.body).toBe(200);
    expect(answer.body).toContain("select 6 * 7");
  }, 90_000);

  it("loses no statement of a session in whose middle S3 fails for 30 s", async () => {
    const ssl = { ca: stage.authority.ca };
    const to = { host: "127.0.0.1", port: task.ports.postgres, user: "ana", password: pass, database: "shop", ssl };
    const client = new pg.Client(to);
    await client.connect();
    const ran: string[] = [];
    const next = async (): Promise<void> => {
      const text = `select ${ran.length} as statement_number`;
      await client.query(text);
      ran.push(text);
    };
    await next();
    s3.fail();
    for (const until = Date.now() + OUTAGE_MS; Date.now() < until; await delay(500)) await next();
    expect(s3.fault.refused).toBeGreaterThan(0);
    s3.fault.down = false;
    await next();
    await client.end();
    const { events } = await shop.lastClosed();
    const recorded = JSON.stringify(events);
    for (const text of ran) expect(recorded).toContain(text);
  }, 150_000);
});
