import { randomUUID } from "node:crypto";
import { chmod, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { gunzipSync } from "node:zlib";
import { GetItemCommand } from "@aws-sdk/client-dynamodb";
import { GetObjectCommand, ListObjectsV2Command, S3Client } from "@aws-sdk/client-s3";
import { marshall } from "@aws-sdk/util-dynamodb";
import type { DynamoDBRecord, DynamoDBStreamEvent } from "aws-lambda";
import pg from "pg";
import { afterAll, beforeAll, expect, it } from "vitest";
import { apiSettings, s3Options } from "../../aws/api-settings.ts";
import { approvalKey } from "../../aws/dynamo/approval-item.ts";
import { ENVIRONMENT } from "../../aws/environment.ts";
import { libpqEnvironment } from "../../cli/psql.ts";
import type { Principal, PrincipalId } from "../../core/identity/principal.ts";
import { issueSessionToken } from "../../core/identity/session-token.ts";
import type { Approval } from "../../core/ports/approval-store.ts";
import type { TokenId } from "../../core/ports/sign-in-store.ts";
import { bundleGatewayTask } from "../../gateway-task/bundle.ts";
import { type Asked, apiEvent, LAMBDA_CONTEXT } from "../functions/api-events.ts";
import { type AwsShop, startAwsShop } from "../setup/aws-shop.ts";
import { type AwsStage, startAwsStage } from "../setup/aws-stage.ts";
import { type Breakable, breakable } from "../setup/breakable.ts";
import {
  entryPointOf,
  type GatewayTaskProcess,
  startGatewayTask,
  writableFolder,
} from "../setup/gateway-task-process.ts";
import { describeWithMoto } from "../setup/moto.ts";
import { psql, run } from "../setup/programs.ts";
import { type LocalSes, startSes } from "../setup/ses.ts";

const OUTAGE_MS = 30_000;
const BASE = "https://sallyport.example";
const POLICY = `
  @id("open") permit (principal, action, resource);
  @id("ask") @reason("rows are not deleted by one person alone") @approvers("dba")
  forbid (principal, action == Action::"pg:delete", resource) unless { context.approvals >= 1 };`;

const person = (name: string, ...groups: string[]): Principal => ({
  kind: "user",
  id: `test|${name}` as PrincipalId,
  name,
  groups,
});
const ANA = person("Ana", "engineers");
const BOB = person("Bob", "dba");

describeWithMoto("the gateway's task and the functions on the AWS adapters", () => {
  let directory: string;
  let stage: AwsStage;
  let shop: AwsShop;
  let task: GatewayTaskProcess;
  let s3: Breakable;
  let dynamo: Breakable;
  let ses: LocalSes;
  let pass: string;
  let spool: string;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "sallyport-aws-"));
    await chmod(directory, 0o755);
    const bundle = join(directory, "image");
    await bundleGatewayTask(bundle);
    await chmod(bundle, 0o555);
    ses = await startSes();
    stage = await startAwsStage(join(directory, "stage"), async (engine, endpoint) => {
      const between = await breakable(endpoint);
      if (engine === "s3") s3 = between;
      else dynamo = between;
      return between.address;
    });
    shop = await startAwsShop(stage, POLICY);
    Object.assign(process.env, {
      [ENVIRONMENT.auditors]: "auditors",
      [ENVIRONMENT.admins]: "admins",
      [ENVIRONMENT.mailFrom]: "sallyport@sallyport.example",
      AWS_ENDPOINT_URL_SESV2: ses.endpoint,
    });
    const bob = {
      id: BOB.id,
      name: BOB.name,
      email: "bob@shop.example",
      groups: BOB.groups,
      seenAt: Date.now(),
      freshUntil: Date.now(),
    };
    await shop.state.people.signedIn(bob);
    pass = await shop.pass(ANA.name);
    spool = await writableFolder(join(directory, "spool"));
    const environment = { ...stage.environment, SALLYPORT_SPOOL: spool };
    task = await startGatewayTask(bundle, await entryPointOf("gateway-task/Dockerfile"), environment);
  }, 120_000);
  afterAll(async () => {
    task.child.kill("SIGKILL");
    await task.ended;
    await shop.close();
    for (const between of [s3, dynamo]) between.close();
    await stage.close();
    await ses.close();
    await chmod(join(directory, "image"), 0o755);
    await rm(directory, { recursive: true, force: true });
  });

  const login = (): NodeJS.ProcessEnv =>
    libpqEnvironment({
      host: "127.0.0.1",
      port: task.ports.postgres,
      database: "shop",
      user: "ana",
      pass,
      caFile: stage.authority.caFile,
    });
  const client = (): pg.Client => {
    const ssl = { ca: stage.authority.ca };
    return new pg.Client({ host: "127.0.0.1", port: task.ports.postgres, user: "ana", password: pass, database: "shop", ssl }); // prettier-ignore
  };

  /** Somebody's session of the web, as a cookie. */
  async function cookieOf(who: Principal): Promise<string> {
    const { baseUrl: issuer, tokenKey: key } = await apiSettings(process.env);
    const token = await issueSessionToken({ issuer, key }, "web", who, randomUUID() as TokenId, Date.now());
    return `__Host-sallyport=${token}`;
  }

  /** What a function answers somebody, as API Gateway would hand it over. */
  async function asked(
    name: "approvals" | "replay",
    who: Principal,
    request: Asked,
  ): Promise<{ status: number; body: string }> {
    const { handler } =
      name === "approvals" ? await import("../../functions/approvals/handler.ts") : await import("../../functions/replay/handler.ts"); // prettier-ignore
    const headers = { origin: BASE, ...request.headers };
    const answer = await handler(apiEvent({ ...request, headers, cookies: [await cookieOf(who)] }), LAMBDA_CONTEXT);
    return { status: answer.statusCode ?? 0, body: answer.body ?? "" };
  }

  async function waiting(): Promise<Approval> {
    const query = { seenBy: { id: BOB.id, groups: BOB.groups }, limit: 1 };
    for (let tries = 0; tries < 400; tries++, await delay(50)) {
      const [first] = await shop.state.approvalStore.list({ ...query, waitingAt: Date.now() });
      if (first !== undefined) return first;
    }
    throw new Error("nothing is held");
  }

  /** The stream's record of what was written, as Lambda gets it. */
  async function told({ id }: Approval): Promise<DynamoDBStreamEvent> {
    const Key = marshall(approvalKey(id));
    const TableName = stage.environment[ENVIRONMENT.approvalsTable];
    const { Item } = await stage.dynamo.client.send(new GetItemCommand({ TableName, Key, ConsistentRead: true }));
    const dynamodb = { Keys: Key, NewImage: Item, SequenceNumber: "1", StreamViewType: "NEW_IMAGE" };
    return { Records: [{ eventID: randomUUID(), eventName: "INSERT", dynamodb } as DynamoDBRecord] };
  }

  it("hold a statement of a real psql until its approver has consented by the link of the mail, and replay it", async () => {
    await psql(login(), "-c", "create table parcels as select generate_series(1, 3) as id");
    const held = run("psql", ["-XqAt", "-c", "delete from parcels where id = 2 returning id"], { env: login() });
    const approval = await waiting();
    const { handler: notify } = await import("../../functions/notify/handler.ts");
    expect(await notify(await told(approval))).toEqual({ batchItemFailures: [] });
    const [mail] = await ses.mails();
    expect(mail?.destination.to.join()).toContain("bob@shop.example");
    const link = new URL(
      /https:\/\/sallyport\.example\/approvals\/by-mail\?token=[\w.-]+/.exec(mail?.body.text ?? "")?.[0] ?? "",
    );
    const page = { path: link.pathname, query: link.search.slice(1), headers: { accept: "text/html" } };
    const opened = await asked("approvals", BOB, page);
    expect([opened.status, opened.body.includes("delete from parcels")]).toEqual([200, true]);
    expect((await shop.state.approvalStore.get(approval.id))?.status).toBe("requested"); // reading decides nothing
    const decision = {
      path: `/api/approvals/${approval.id}/decision`,
      method: "POST",
      headers: { "content-type": "application/json" },
    };
    const own = await asked("approvals", ANA, { ...decision, body: JSON.stringify({ decision: "approve" }) });
    expect(own.status).toBeGreaterThanOrEqual(400);
    const decided = await asked("approvals", BOB, {
      ...decision,
      body: JSON.stringify({ decision: "approve", words: "go on" }),
    });
    expect(decided.status, decided.body).toBe(200);
    const ended = await held;
    expect([ended.status, ended.stdout.toString()]).toEqual([0, "2\n"]);
    expect(ended.stderr).toContain("rows are not deleted by one person alone");

    const { row, events } = await shop.lastClosed();
    expect(events.some((event) => event.type === "statement" && event.text.includes("delete from parcels"))).toBe(true);
    const list = await asked("replay", ANA, { path: "/api/sessions" });
    expect(list.body).toContain(row.id);
    expect((await asked("replay", BOB, { path: "/api/sessions" })).body).not.toContain(row.id);
    for (const [path, says] of [
      ["statements", "delete from parcels"],
      ["transcript", "granted"],
    ]) {
      const answer = await asked("replay", ANA, { path: `/api/sessions/${row.id}/${path}` });
      expect([answer.status, answer.body.includes(says ?? "")], answer.body).toEqual([200, true]);
    }
    expect(await auditedOf(row.id)).toContain("delete from parcels");
  }, 120_000);

  /** The events that the audit function makes of a session's chunks, as they lie in the bucket. */
  async function auditedOf(session: string): Promise<string> {
    const { handler } = await import("../../functions/audit/handler.ts");
    const bucket = client3();
    const recordings = stage.environment[ENVIRONMENT.recordingsBucket] ?? "";
    const chunks = await bucket.send(
      new ListObjectsV2Command({ Bucket: recordings, Prefix: `recordings/${session}/` }),
    );
    const keys = (chunks.Contents ?? []).map(({ Key = "" }) => Key).filter((key) => key.endsWith(".chunk"));
    expect(keys.length).toBeGreaterThan(0);
    const Records = keys.map((key) => ({
      eventName: "ObjectCreated:Put",
      s3: { bucket: { name: recordings }, object: { key } },
    }));
    await handler({ Records }, { awsRequestId: "1" });
    const Bucket = stage.environment[ENVIRONMENT.auditBucket] ?? "";
    const { Contents = [] } = await bucket.send(new ListObjectsV2Command({ Bucket, Prefix: "audit/" }));
    const texts = Contents.map(async ({ Key = "" }) => {
      const { Body } = await bucket.send(new GetObjectCommand({ Bucket, Key }));
      return gunzipSync((await Body?.transformToByteArray()) ?? "").toString();
    });
    return (await Promise.all(texts)).filter((text) => text.includes(session)).join("");
  }
  const client3 = (): S3Client => new S3Client(s3Options(process.env));

  it("lose no statement of a session in whose middle S3 fails for 30 s, and leave nothing in the spool", async () => {
    const connected = client();
    await connected.connect();
    const ran: string[] = [];
    const next = async (): Promise<void> => {
      const text = `select ${ran.length} as statement_number`;
      await connected.query(text);
      ran.push(text);
    };
    await next();
    s3.fail();
    for (const until = Date.now() + OUTAGE_MS; Date.now() < until; await delay(500)) await next();
    expect(s3.fault.refused).toBeGreaterThan(0);
    s3.mend();
    await next();
    await connected.end();
    const { row, events } = await shop.lastClosed();
    const recorded = events.flatMap((event) => (event.type === "statement" ? [event.text] : []));
    expect(recorded).toEqual(ran);
    const files = async (): Promise<string[]> =>
      (await readdir(spool, { recursive: true })).filter((name) => name.includes(row.id));
    await expect.poll(files, { timeout: 20_000 }).toEqual([]);
  }, 150_000);

  it("let nobody in while DynamoDB fails, say so, end who may have been revoked, and go on when it is back", async () => {
    const connected = client();
    const ended = new Promise<Error>((done) => connected.on("error", done));
    await connected.connect();
    await connected.query("select 'before' as told");
    dynamo.fail();
    const refused = await run("psql", ["-XqAt", "-c", "select 1"], { env: login() });
    expect(refused.status).toBe(2);
    expect(refused.stderr).toMatch(/sallyport: .*(store|passes|sessions)/);
    // Whether their pass has been revoked cannot be known any more: five seconds are promised.
    expect(String(await ended)).toMatch(/sallyport|terminated/);
    dynamo.mend();
    await expect
      .poll(async () => (await run("psql", ["-XqAt", "-c", "select 'after'"], { env: login() })).stdout.toString(), {
        timeout: 60_000,
        interval: 500,
      })
      .toBe("after\n");
    const rows = await shop.sessions();
    expect(rows.length).toBeGreaterThanOrEqual(4);
    const texts: string[] = [];
    await shop.lastClosed();
    for (const { id } of rows.slice(0, 2)) {
      await expect
        .poll(async () => (await shop.state.sessions.get(id))?.closing !== undefined, { timeout: 30_000 })
        .toBe(true);
      texts.push(...(await shop.statementsOf(id)));
    }
    expect(texts).toEqual(expect.arrayContaining(["select 'before' as told", "select 'after'"]));
  }, 150_000);
});
