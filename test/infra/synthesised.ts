import { App } from "aws-cdk-lib";
import { Template } from "aws-cdk-lib/assertions";
import { Code } from "aws-cdk-lib/aws-lambda";
import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { z } from "zod";
import type { FunctionCode } from "../../infra/function-code.ts";
import { sallyport } from "../../infra/sallyport.ts";
import { readSettings } from "../../infra/settings.ts";

/** A resource of a template. */
export interface Resource {
  readonly id: string;
  readonly stack: StackName;
  readonly type: string;
  // oxlint-disable-next-line typescript/no-explicit-any -- CloudFormation's JSON, which each test looks into elsewhere
  readonly properties: any;
  readonly deletionPolicy: string | undefined;
}

export type StackName = "network" | "data" | "api" | "gateway" | "observability";

export interface Synthesised {
  readonly templates: Readonly<Record<StackName, Template>>;
  /** What would have to be asked of an account. */
  readonly missing: readonly string[];
  /** Of all stacks. */
  readonly resources: readonly Resource[];
  readonly of: (type: string) => readonly Resource[];
}

const cdkJson = z.object({ context: z.record(z.string(), z.unknown()) });
const resource = z.object({
  Type: z.string(),
  Properties: z.record(z.string(), z.unknown()).default({}),
  DeletionPolicy: z.string().optional(),
});

/** What `cdk synth` finds out of an account, and keeps in cdk.context.json: a VPC with two zones. */
const LOOKED_UP = {
  "vpc-provider:account=111122223333:filter.vpc-id=vpc-0123456789abcdef0:region=eu-west-1:returnAsymmetricSubnets=true":
    {
      vpcId: "vpc-0123456789abcdef0",
      vpcCidrBlock: "10.0.0.0/16",
      ownerAccountId: "111122223333",
      availabilityZones: [],
      subnetGroups: [
        {
          name: "Private",
          type: "Private",
          subnets: ["a", "b"].map((zone) => ({
            subnetId: `subnet-0123456789abcde0${zone}`,
            cidr: zone === "a" ? "10.0.0.0/24" : "10.0.1.0/24",
            availabilityZone: `eu-west-1${zone}`,
            routeTableId: `rtb-0123456789abcde0${zone}`,
          })),
        },
      ],
    },
};

/** The functions' code is not what the stacks' tests are about; bundling has its own. */
const STAND_IN: FunctionCode = () => Code.fromInline("exports.handler = async () => {};");

/** All stacks as `npm run synth` makes them, cdk-nag included: it throws where that finds what has no reason. */
export function synthesise(
  overrides: Readonly<Record<string, unknown>> = {},
  code: FunctionCode = STAND_IN,
): Synthesised {
  const { context } = cdkJson.parse(JSON.parse(readFileSync("cdk.json", "utf8")));
  const app = new App({
    context: { ...context, ...LOOKED_UP },
    outdir: mkdtempSync(path.join(tmpdir(), "sallyport-synth-")),
  });
  const given: Readonly<Record<string, unknown>> = { settings: "infra/settings.example.json", ...overrides };
  const stacks = sallyport(app, readSettings({ context: (name) => given[name], environment: {} }), code);
  const { missing = [] } = app.synth().manifest;
  const names: readonly StackName[] = ["network", "data", "api", "gateway", "observability"];
  const templates = Object.fromEntries(names.map((name) => [name, Template.fromStack(stacks[name])]));
  const resources = names.flatMap((stack) => resourcesOf(templates[stack], stack));
  return {
    missing: missing.map(({ key }) => key),
    templates: templates as Record<StackName, Template>,
    resources,
    of: (type) => resources.filter((one) => one.type === type),
  };
}

function resourcesOf(template: Template | undefined, stack: StackName): Resource[] {
  const all = z.record(z.string(), resource).parse(template?.toJSON()["Resources"]);
  return Object.entries(all).map(([id, { Type, Properties, DeletionPolicy }]) => ({
    id,
    stack,
    type: Type,
    properties: Properties,
    deletionPolicy: DeletionPolicy,
  }));
}

/** The only resource of a type whose id contains a text. */
export function only(made: Synthesised, type: string, part: string): Resource {
  const found = made.of(type).filter(({ id }) => id.includes(part));
  if (found.length !== 1 || found[0] === undefined) throw new Error(`there are ${found.length} of ${type} ${part}`);
  return found[0];
}
