import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ENVIRONMENT } from "../../aws/environment.ts";
import type { Principal, PrincipalId } from "../../core/identity/principal.ts";
import { issueSessionToken } from "../../core/identity/session-token.ts";
import type { TokenId } from "../../core/ports/sign-in-store.ts";
import { type Bundle, bundleFunction, type FunctionName, FUNCTIONS, MAX_BUNDLE_BYTES } from "../../infra/bundling.ts";
import { apiEvent } from "../functions/api-events.ts";
import { startAccount } from "../setup/account.ts";
import { runBundle } from "../setup/bundle-run.ts";

const NAMES = Object.keys(FUNCTIONS) as FunctionName[];
const PLAIN = NAMES.filter((name) => FUNCTIONS[name].wasm.length === 0);

let folder: string;
let account: Awaited<ReturnType<typeof startAccount>>;
const bundles = new Map<FunctionName, Bundle>();

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "sallyport-bundles-"));
  for (const name of NAMES) bundles.set(name, bundleFunction(name, path.join(folder, name)));
  account = await startAccount();
}, 120_000);
afterAll(async () => {
  await account?.stop();
  await rm(folder, { recursive: true, force: true });
});

const built = (name: FunctionName): Bundle => {
  const bundle = bundles.get(name);
  if (bundle === undefined) throw new Error(`${name} was not built`);
  return bundle;
};

describe("a bundle", () => {
  test.each(PLAIN)("of %s starts with less than a megabyte, and without a policy engine", (name) => {
    const { bytes, inputs } = built(name);
    expect(bytes).toBeLessThan(MAX_BUNDLE_BYTES);
    const engines = [...inputs.keys()].filter((file) => /cedar-wasm|libpg-query|tree-sitter|\.wasm$/.test(file));
    expect(engines).toEqual([]);
  });

  test("has nothing of local mode, of the gateway, or of the command line", () => {
    for (const name of NAMES)
      expect([...built(name).inputs.keys()].filter((file) => /^(local|gateway-task|cli|test)\//.test(file))).toEqual(
        [],
      );
  });

  test("of the same sources is the same, byte for byte", () => {
    const again = bundleFunction("approvals", path.join(folder, "again"));
    expect(again.bytes).toBe(built("approvals").bytes);
    expect([...again.inputs]).toEqual([...built("approvals").inputs]);
  });
});

const ADMIN: Principal = {
  kind: "user",
  id: "https://idp.example|ana" as PrincipalId,
  name: "Ana",
  groups: ["admins"],
};

async function bearer(): Promise<Record<string, string>> {
  const authority = { issuer: "https://sallyport.example", key: account.tokenKey };
  return {
    authorization: `Bearer ${await issueSessionToken(authority, "cli", ADMIN, randomUUID() as TokenId, Date.now())}`,
  };
}

const run = (name: FunctionName, event: unknown, over: Record<string, string> = {}) =>
  runBundle(built(name).folder, { ...account.environment, ...over }, event);

interface Answer {
  readonly statusCode: number;
  readonly headers: Record<string, string>;
  readonly body: string;
}

async function asked(name: FunctionName, at: string, headers: Record<string, string> = {}): Promise<Answer> {
  return (await run(name, apiEvent({ path: at, headers }))).answer as Answer;
}

describe("a bundle, run by itself on an event", () => {
  test("of auth knows whom it does not know, and what it may tell everybody", async () => {
    const stranger = await asked("auth", "/api/me");
    expect([stranger.statusCode, JSON.parse(stranger.body)]).toMatchObject([401, { code: "sign-in-required" }]);
    const known = await asked("auth", "/api/me", await bearer());
    expect([known.statusCode, JSON.parse(known.body)]).toMatchObject([200, { id: ADMIN.id, groups: ["admins"] }]);
    expect((await asked("auth", "/api/connections", await bearer())).body).toBe('{"connections":[]}');
    const described = await asked("auth", "/api/openapi.json");
    expect(JSON.parse(described.body)).toHaveProperty("openapi");
  });

  test("of approvals, replay and config answers from the tables and the buckets", async () => {
    const headers = await bearer();
    expect((await asked("approvals", "/api/approvals", headers)).body).toBe('{"approvals":[],"next":null}');
    expect((await asked("replay", "/api/sessions", headers)).body).toBe('{"sessions":[],"next":null}');
    expect((await asked("config", "/api/config/versions", headers)).body).toBe('{"versions":[]}');
  });

  test("that is not told where its tables are says so in its log, and answers 503", async () => {
    const { answer, output } = await run("approvals", apiEvent({ path: "/api/approvals" }), {
      [ENVIRONMENT.approvalsTable]: "",
    });
    expect(answer).toMatchObject({ statusCode: 503 });
    expect(output).toContain(`${ENVIRONMENT.approvalsTable} is not set`);
  });

  test("of notify takes a batch", async () => {
    expect((await run("notify", { Records: [{ eventName: "REMOVE" }] })).answer).toEqual({ batchItemFailures: [] });
  });

  test("of scheduled work writes its figures", async () => {
    const { output } = await run("scheduled", { source: "aws.events" });
    expect(JSON.parse(output.trim().split("\n").at(-1) ?? "")).toMatchObject({
      _aws: { CloudWatchMetrics: [{ Namespace: "Sallyport" }] },
      AbandonedSpools: 0,
      AbandonedSessions: 0,
    });
  });

  test("of a deployment answers CloudFormation, also where it fails", async () => {
    const event = {
      RequestType: "Create",
      ServiceToken: "arn:aws:lambda:eu-central-1:123456789012:function:f",
      ResponseURL: `${account.url}/cloudformation`,
      StackId: "arn:aws:cloudformation:eu-central-1:123456789012:stack/s/1",
      RequestId: "r",
      LogicalResourceId: "Configuration",
      ResourceType: "Custom::SallyportConfiguration",
      ResourceProperties: { ServiceToken: "t", bucket: "assets", key: "none.json", version: "0".repeat(64) },
    };
    await run("configDeployed", event);
    expect(JSON.parse(account.objects.get("/cloudformation") ?? "")).toMatchObject({
      Status: "FAILED",
      RequestId: "r",
      PhysicalResourceId: "sallyport-configuration",
      Reason: expect.any(String),
    });
  });
});
