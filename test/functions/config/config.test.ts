import { describe, expect, test } from "vitest";
import type { CloudFormationCustomResourceEvent } from "aws-lambda";
import { pino } from "pino";
import type { AuditRecord } from "../../../core/audit/account-events.ts";
import { bundleJson } from "../../../core/config/bundle-json.ts";
import { versionOf } from "../../../core/config/bundle-files.ts";
import { SallyportError } from "../../../core/errors.ts";
import { type DeployedDeps, publishDeployed } from "../../../functions/config/deployed.ts";
import { bundle } from "../../setup/bundles.ts";
import { ADMIN, ENGINEER, installation, NOW } from "./installation.ts";

const filesOf = (over: Parameters<typeof bundle>[0] = {}) => Object.fromEntries(bundle(over));

describe("publishing a configuration", () => {
  test("is for administrators, of any of their groups, and for nobody else", async () => {
    const { ask, configurations, audited } = installation();
    for (const [method, path] of [
      ["POST", "/api/config"],
      ["GET", "/api/config/versions"],
    ] as const)
      // prettier-ignore
      expect((await ask(ENGINEER, method, path, method === "POST" ? { files: filesOf() } : undefined)).status).toBe(403);
    expect(await configurations.current()).toBeUndefined();
    expect(audited).toEqual([]);
    expect((await ask(ADMIN, "POST", "/api/config", { files: filesOf() })).status).toBe(201);
    expect(await configurations.current()).toEqual({ version: versionOf(bundle()), by: ADMIN.id, at: NOW });
  });

  test("is written down, with who did it, from where, and which version", async () => {
    const { ask, audited } = installation();
    await ask(ADMIN, "POST", "/api/config", { files: filesOf() });
    expect(audited).toHaveLength(1);
    expect(JSON.stringify(audited)).toContain(versionOf(bundle()));
    expect(audited[0]).toMatchObject({ draft: { code: "configuration-published", status: "success" }, at: NOW });
  });

  test("of what is not valid changes nothing, names every fault, and is written down as well", async () => {
    const { ask, audited, configurations } = installation();
    const files = filesOf({ "connections.yaml": "connections: { shop: 1 }\n", "policies/a.cedar": "permit (" });
    const response = await ask(ADMIN, "POST", "/api/config", { files });
    const { detail } = (await response.json()) as { detail: string };
    expect(response.status).toBe(400);
    expect(detail).toContain("connections.yaml");
    expect(detail).toContain("a.cedar");
    expect(await configurations.current()).toBeUndefined();
    expect(audited[0]).toMatchObject({ draft: { status: "failure" } });
  });

  test("puts nothing in force that is not written down", async () => {
    const { ask, audited, configurations, log } = installation();
    log.down = true;
    expect((await ask(ADMIN, "POST", "/api/config", { files: filesOf() })).status).toBe(503);
    expect([await configurations.current(), audited]).toEqual([undefined, []]);
  });

  test("over a version that the publisher has not seen is a conflict, and that nothing came of it is written down", async () => {
    const { ask, audited } = installation();
    await ask(ADMIN, "POST", "/api/config", { files: filesOf() });
    const next = { files: filesOf({ "masking.yaml": "columns: []\n# more\n" }) };
    expect((await ask(ADMIN, "POST", "/api/config", { ...next, expected: "0".repeat(64) })).status).toBe(409);
    expect(audited.map(({ draft }) => draft.status)).toEqual(["success", "success", "failure"]);
    expect((await ask(ADMIN, "POST", "/api/config", { ...next, expected: versionOf(bundle()) })).status).toBe(201);
    const { versions } = (await (await ask(ADMIN, "GET", "/api/config/versions?limit=1")).json()) as {
      versions: object[];
    };
    expect(versions).toEqual([expect.objectContaining({ by: ADMIN.id, at: new Date(NOW).toISOString() })]);
  });

  test.each([
    ["a list", { files: [] }, 400],
    ["numbers for texts", { files: { "connections.yaml": 1 } }, 400],
    ["a path out of the folder", { files: { ...filesOf(), "../connections.yaml": "" } }, 400],
    ["a file of no configuration", { files: { ...filesOf(), __proto__x: "" } }, 400],
    ["more than fields that are known", { files: filesOf(), force: true }, 400],
    ["megabytes", { files: filesOf({ "masking.yaml": "#".repeat(5 << 20) }) }, 413],
  ])("of %s is refused", async (_, body, status) => {
    const { ask, configurations } = installation();
    expect((await ask(ADMIN, "POST", "/api/config", body)).status).toBe(status);
    expect(await configurations.current()).toBeUndefined();
  });
});

describe("what is deployed", () => {
  const event = (over: object = {}): CloudFormationCustomResourceEvent => ({
    RequestType: "Create",
    ServiceToken: "arn:aws:lambda:eu-central-1:123456789012:function:f",
    ResponseURL: "https://cloudformation.example/?X-Amz-Signature=x",
    StackId: "arn:aws:cloudformation:eu-central-1:123456789012:stack/s/1",
    RequestId: "r",
    LogicalResourceId: "Configuration",
    ResourceType: "Custom::SallyportConfiguration",
    ResourceProperties: { ServiceToken: "t", bucket: "assets", key: "a.json", version: versionOf(bundle()) },
    ...over,
  });

  function deployment(text: string) {
    const { configurations } = installation();
    const [answers, audited]: [Record<string, unknown>[], AuditRecord[]] = [[], []];
    const deps: DeployedDeps = {
      read: async () => text,
      configurations,
      audit: async (record) => void audited.push(record),
      clock: () => NOW,
      answer: async (_url, body) => void answers.push(JSON.parse(body) as Record<string, unknown>),
      logger: pino({ level: "silent" }),
    };
    return { deps, answers, audited, configurations };
  }

  test("takes effect, is written down, and CloudFormation is told", async () => {
    const { deps, answers, audited, configurations } = deployment(bundleJson(bundle()));
    await publishDeployed(deps, event());
    expect(answers).toEqual([
      expect.objectContaining({ Status: "SUCCESS", RequestId: "r", Data: { version: versionOf(bundle()) } }),
    ]);
    expect((await configurations.current())?.version).toBe(versionOf(bundle()));
    expect(audited).toHaveLength(1);
  });

  test("fails the deployment with the validator's words where it is not valid, in as many as CloudFormation takes", async () => {
    const files = bundle({
      "connections.yaml": `connections: { ${"x".repeat(60)}: 1 }\n`,
      "policies/a.cedar": "permit (",
    });
    const { deps, answers, configurations } = deployment(bundleJson(files));
    const ResourceProperties = { ServiceToken: "t", bucket: "assets", key: "a.json", version: versionOf(files) };
    await publishDeployed(deps, event({ ResourceProperties }));
    expect(answers).toEqual([
      expect.objectContaining({ Status: "FAILED", Reason: expect.stringContaining("connections.yaml") }),
    ]);
    expect(JSON.stringify(answers[0]).length).toBeLessThan(4_096);
    expect(await configurations.current()).toBeUndefined();
  });

  test("is answered whatever is wrong: other bytes than were deployed, properties that are none, a store that is away", async () => {
    const away = async (): Promise<never> => {
      throw new SallyportError("store-unavailable", "S3 is away");
    };
    for (const [text, over, read] of [
      [bundleJson(bundle({ "masking.yaml": "columns: []\n#\n" })), {}, undefined],
      ["{", {}, undefined],
      [bundleJson(bundle()), { ResourceProperties: { ServiceToken: "t" } }, undefined],
      [bundleJson(bundle()), {}, away],
    ] as const) {
      const { deps, answers, configurations } = deployment(text);
      await publishDeployed(read === undefined ? deps : { ...deps, read }, event(over));
      expect(answers).toEqual([expect.objectContaining({ Status: "FAILED" })]);
      expect(await configurations.current()).toBeUndefined();
    }
  });

  test("stays in force when its stack is deleted", async () => {
    const { deps, answers, configurations } = deployment(bundleJson(bundle()));
    await publishDeployed(deps, event());
    await publishDeployed(deps, event({ RequestType: "Delete", PhysicalResourceId: "sallyport-configuration" }));
    expect(answers.map(({ Status }) => Status)).toEqual(["SUCCESS", "SUCCESS"]);
    expect(await configurations.current()).toBeDefined();
  });
});
