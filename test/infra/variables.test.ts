import { existsSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { ENVIRONMENT } from "../../aws/environment.ts";
import { FUNCTIONS, type FunctionName } from "../../infra/bundling.ts";
import { Code } from "aws-cdk-lib/aws-lambda";
import { demandedBy } from "./demanded-variables.ts";
import { type Synthesised, synthesise } from "./synthesised.ts";

let made: Synthesised;

beforeAll(() => {
  made = synthesise({}, (name) => Code.fromInline(`// ${name}`));
}, 120_000);

/** The variables of a function, which its stand-in's code names. */
function variablesOf(name: FunctionName): string[] {
  const [found] = made.of("AWS::Lambda::Function").filter(({ properties }) => properties.Code.ZipFile === `// ${name}`);
  return Object.keys(found?.properties.Environment.Variables ?? {});
}

describe("what the stacks tell", () => {
  it("each function is all that it demands", () => {
    const deployed = (Object.keys(FUNCTIONS) as FunctionName[]).filter((name) => existsSync(FUNCTIONS[name].entry));
    expect(deployed.length).toBeGreaterThan(3);
    for (const name of deployed)
      expect(variablesOf(name), name).toEqual(expect.arrayContaining(demandedBy(FUNCTIONS[name].entry)));
  });

  it("functions that hold the token key start anew when it is replaced: a variable changes with it", () => {
    const holders = made
      .of("AWS::Lambda::Function")
      .map(({ properties }) => (properties.Environment?.Variables ?? {}) as Record<string, unknown>)
      .filter((variables) => ENVIRONMENT.tokenKeySecret in variables);
    expect(holders.length).toBeGreaterThan(3);
    for (const variables of holders) expect(variables[ENVIRONMENT.tokenKeyGeneration]).toBe("1");
  });

  it("a task is all that it demands", () => {
    const demanded = demandedBy("gateway-task/main.ts");
    expect(demanded).toEqual(
      expect.arrayContaining([ENVIRONMENT.signingKey, ENVIRONMENT.spool, ENVIRONMENT.tlsSecret]),
    );
    const [task] = made.of("AWS::ECS::TaskDefinition");
    const names = ((task?.properties.ContainerDefinitions[0].Environment ?? []) as { Name: string }[]).map(
      ({ Name }) => Name,
    );
    expect(names).toEqual(expect.arrayContaining(demanded));
  });

  it("no program is a name that nobody knows", () => {
    const known: readonly string[] = Object.values(ENVIRONMENT);
    for (const { id, properties } of made.of("AWS::Lambda::Function"))
      for (const name of Object.keys(properties.Environment.Variables)) expect(known, id).toContain(name);
  });
});
