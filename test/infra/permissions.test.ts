import { beforeAll, describe, expect, it } from "vitest";
import { grantsOf, type Statement } from "./policy-statements.ts";
import { only, type Resource, type Synthesised, synthesise } from "./synthesised.ts";

let made: Synthesised;

beforeAll(() => {
  made = synthesise();
}, 120_000);

const one = (type: string, part = ""): Resource => only(made, type, part);

describe("permissions", () => {
  it("name each action", () => {
    const wild = grantsOf(made).flatMap(({ id, actions }) =>
      actions.filter((action) => action.includes("*")).map(() => id),
    );
    expect(wild).toEqual([]);
  });

  it("are for everything only where the service knows no narrower resource", () => {
    const everywhere = grantsOf(made).filter(({ resources }) => resources.includes("*"));
    expect(everywhere.flatMap(({ actions }) => actions).toSorted()).toEqual([
      "dynamodb:ListStreams",
      "ecr:GetAuthorizationToken",
    ]);
  });

  it("let no program of ours delete evidence, shorten its lock, or go round it", () => {
    const destroying =
      /^s3:(Delete|Bypass|PutBucket|PutObjectLegalHold|PutObjectRetention|PutLifecycle)|^kms:(ScheduleKeyDeletion|Disable)/;
    expect(grantsOf(made).flatMap(({ actions }) => actions.filter((action) => destroying.test(action)))).toEqual([]);
  });

  it("let no program of ours scan a table", () => {
    expect(grantsOf(made).flatMap(({ actions }) => actions)).not.toContain("dynamodb:Scan");
  });

  it("come by no managed policy", () => {
    for (const { id, properties } of made.of("AWS::IAM::Role"))
      expect(properties.ManagedPolicyArns, id).toBeUndefined();
  });

  it("let only tasks sign, and only notify send mail, from the configured address alone", () => {
    const holders = (action: string) =>
      grantsOf(made)
        .filter(({ actions }) => actions.includes(action))
        .map(({ id }) => id);
    expect(holders("kms:Sign")).toEqual([expect.stringContaining("GatewayRole")]);
    expect(holders("ses:SendEmail")).toEqual([expect.stringContaining("NotifyFunctionRole")]);
    const [mail] = made
      .of("AWS::IAM::Policy")
      .flatMap(({ properties }) => properties.PolicyDocument.Statement as Statement[])
      .filter(({ Action }) => [Action].flat().includes("ses:SendEmail"));
    expect(mail?.Condition).toEqual({ StringEquals: { "ses:FromAddress": "sallyport@shop.example" } });
    const senders = made
      .of("AWS::Lambda::Function")
      .map(({ properties }) => properties.Environment.Variables.SALLYPORT_MAIL_FROM as string | undefined)
      .filter((from) => from !== undefined);
    expect(senders).toEqual(["sallyport@shop.example"]);
  });

  it("let notify read requests for consent, and change none", () => {
    const table = one("AWS::DynamoDB::Table", "Approvals").id;
    const writers = grantsOf(made)
      .filter(({ actions, resources }) => actions.includes("dynamodb:PutItem") && resources.join().includes(table))
      .map(({ id }) => id);
    expect(writers.some((id) => id.includes("Approvals"))).toBe(true);
    expect(writers.filter((id) => id.includes("Notify"))).toEqual([]);
  });

  it("let scheduled work forget sessions, and write nothing; it is told the retention of the buckets", () => {
    const writes = grantsOf(made)
      .filter(({ id }) => id.includes("Scheduled"))
      .flatMap(({ actions, resources }) => actions.map((action) => [action, resources.join()] as const))
      .filter(([action]) => /^dynamodb:(Put|Update|Delete|BatchWrite)/.test(action));
    expect(writes).toEqual([["dynamodb:DeleteItem", expect.stringContaining("TablesSessions")]]);
    const { Environment } = one("AWS::Lambda::Function", "Scheduled").properties;
    const [days] = made
      .of("AWS::S3::Bucket")
      .map(({ properties }) => properties.ObjectLockConfiguration?.Rule.DefaultRetention.Days as number | undefined)
      .filter((found) => found !== undefined);
    expect(Environment.Variables.SALLYPORT_RETENTION_DAYS).toBe(String(days));
  });

  it("bound the targets' secrets by their prefix", () => {
    const [prefixed] = grantsOf(made).filter(({ resources }) =>
      resources.some((text) => text.includes("sallyport/targets/*")),
    );
    expect(prefixed?.actions).toEqual(["secretsmanager:GetSecretValue"]);
  });
});
