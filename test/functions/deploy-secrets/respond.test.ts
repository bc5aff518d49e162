import type { CloudFormationCustomResourceEvent } from "aws-lambda";
import { describe, expect, it } from "vitest";
import { SallyportError } from "../../../core/errors.ts";
import { newOpensshKey, opensshPublicKey } from "../../../functions/deploy-secrets/openssh-key.ts";
import { respond } from "../../../functions/deploy-secrets/respond.ts";
import { type MemoryVault, memoryVault } from "./memory-vault.ts";

const PROPERTIES = { ServiceToken: "arn:function", kind: "key", secret: "arn:key", generation: "1" };
const COMMON = {
  ServiceToken: "arn:function",
  ResponseURL: "https://cloudformation.example/answer",
  StackId: "arn:stack",
  RequestId: "f2b0c9f5-2d43-44ba-ba0a-8b9c5d4a4c01",
  LogicalResourceId: "TokenKeyMade",
  ResourceType: "Custom::SallyportSecret",
};

async function answerTo(event: CloudFormationCustomResourceEvent, vault: MemoryVault): Promise<unknown> {
  const answers: [string, string][] = [];
  await respond(
    {
      vault,
      now: () => new Date(),
      answer(url, body) {
        answers.push([url, body]);
        return Promise.resolve();
      },
    },
    event,
  );
  expect(answers).toHaveLength(1);
  expect(answers[0]?.[0]).toBe(COMMON.ResponseURL);
  return JSON.parse(answers[0]?.[1] ?? "");
}

function created(properties: Record<string, unknown>): CloudFormationCustomResourceEvent {
  return { ...COMMON, RequestType: "Create", ResourceProperties: { ...PROPERTIES, ...properties } };
}

describe("the custom resource of secrets", () => {
  it("answers what CloudFormation asked, by the same ids, and tells it no secret", async () => {
    const vault = memoryVault();
    const answer = await answerTo(created({}), vault);
    expect(answer).toEqual({
      Status: "SUCCESS",
      PhysicalResourceId: "arn:key",
      StackId: COMMON.StackId,
      RequestId: COMMON.RequestId,
      LogicalResourceId: COMMON.LogicalResourceId,
      Data: {},
    });
    expect(vault.versions.get("arn:key")).toHaveLength(1);
  });

  it("deletes nothing when it is deleted itself", async () => {
    const vault = memoryVault();
    await answerTo(created({}), vault);
    const before = await vault.current("arn:key");
    const event = { ...created({}), RequestType: "Delete", PhysicalResourceId: "arn:key" } as const;
    expect(await answerTo(event, vault)).toMatchObject({ Status: "SUCCESS", PhysicalResourceId: "arn:key" });
    expect(await vault.current("arn:key")).toBe(before);
  });

  it("keeps its id when it is changed, since another would have CloudFormation delete it", async () => {
    const event = {
      ...created({ generation: "2" }),
      RequestType: "Update",
      PhysicalResourceId: "an older id",
      OldResourceProperties: PROPERTIES,
    } as const;
    const vault = memoryVault();
    await vault.put("arn:key", "old", "request-before");
    expect(await answerTo(event, vault)).toMatchObject({ Status: "SUCCESS", PhysicalResourceId: "an older id" });
    expect(vault.versions.get("arn:key")).toHaveLength(2);
  });

  it("answers again what everybody may know of a key, and leaves the key as it is, when only that is asked", async () => {
    const vault = memoryVault();
    const asked = (of: string) => ({ ...PROPERTIES, kind: "ssh", generation: "1", of });
    await answerTo(created(asked("1")), vault);
    await vault.put("arn:key", newOpensshKey(), "request-of-another-stack");
    const event = {
      ...created(asked("2")),
      RequestType: "Update",
      PhysicalResourceId: "arn:key",
      OldResourceProperties: asked("1"),
    } as const;
    const publicKey = opensshPublicKey((await vault.current("arn:key")) ?? "");
    expect(await answerTo(event, vault)).toMatchObject({ Status: "SUCCESS", Data: { publicKey } });
    expect(vault.versions.get("arn:key")).toHaveLength(2);
  });

  it("fails at once, with the reason, for what it cannot make: a deployment would wait for an hour", async () => {
    for (const wrong of [
      { kind: "password" },
      { secret: "" },
      { secret: undefined },
      { generation: "0" },
      { generation: "x" },
      { kind: "tls" },
      { kind: "tls", authority: "arn:ca", name: "" },
    ]) {
      const answer = await answerTo(created(wrong), memoryVault());
      expect(answer, JSON.stringify(wrong)).toMatchObject({
        Status: "FAILED",
        Reason: expect.stringContaining("stack"),
      });
    }
  });

  it("fails with the store's words where the store does not answer", async () => {
    const vault = memoryVault();
    const broken: MemoryVault = {
      ...vault,
      current: () => Promise.reject(new SallyportError("store-unavailable", "Secrets Manager did not give the secret")),
    };
    expect(await answerTo(created({}), broken)).toMatchObject({
      Status: "FAILED",
      Reason: expect.stringContaining("Secrets Manager did not give the secret"),
    });
  });
});
