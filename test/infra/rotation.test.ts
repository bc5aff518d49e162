import { beforeAll, describe, expect, it } from "vitest";
import { ENVIRONMENT } from "../../aws/environment.ts";
import { type Resource, type Synthesised, synthesise } from "./synthesised.ts";

const GENERATIONS = ["tokenKeyGeneration", "sshHostKeyGeneration", "tlsGeneration"] as const;

let before: Synthesised;
let after: Readonly<Record<(typeof GENERATIONS)[number], Synthesised>>;

beforeAll(() => {
  const raised = (name: string): Synthesised => synthesise({ [name]: 2 });
  before = synthesise();
  after = {
    tokenKeyGeneration: raised("tokenKeyGeneration"),
    sshHostKeyGeneration: raised("sshHostKeyGeneration"),
    tlsGeneration: raised("tlsGeneration"),
  };
}, 240_000);

function variablesOf(made: Synthesised): Map<string, Readonly<Record<string, unknown>>> {
  return new Map(
    made.of("AWS::Lambda::Function").map(({ id, properties }) => [id, properties.Environment?.Variables ?? {}]),
  );
}

/** The functions that hold a secret, and of them those whose variables a deployment changes. */
function holders(made: Synthesised, variable: string): { readonly all: string[]; readonly changed: string[] } {
  const now = variablesOf(made);
  const all = [...variablesOf(before)].filter(([, variables]) => variable in variables);
  const changed = all.filter(([id, variables]) => JSON.stringify(now.get(id)) !== JSON.stringify(variables));
  return { all: all.map(([id]) => id), changed: changed.map(([id]) => id) };
}

function task(made: Synthesised): Resource {
  const [found] = made.of("AWS::ECS::TaskDefinition");
  return found as Resource;
}

describe("a key that is replaced", () => {
  it("of session tokens starts each function anew that holds it, and no task", () => {
    const { all, changed } = holders(after.tokenKeyGeneration, ENVIRONMENT.tokenKeySecret);
    expect(all.length).toBeGreaterThanOrEqual(5);
    expect(changed).toEqual(all);
    expect(task(after.tokenKeyGeneration).properties).toEqual(task(before).properties);
  });

  it("of the gateway starts the tasks anew", () => {
    for (const name of ["sshHostKeyGeneration", "tlsGeneration"] as const)
      expect(task(after[name]).properties, name).not.toEqual(task(before).properties);
  });

  it("of SSH is asked for again by who shows its public half, and asking never replaces it", () => {
    const asked = ({ of }: Synthesised): Resource[] =>
      of("Custom::SallyportSecret").filter(({ stack }) => stack === "api");
    const [[first], [second]] = [asked(before), asked(after.sshHostKeyGeneration)];
    expect(first?.properties).toMatchObject({ kind: "ssh", generation: 1, of: 1 });
    expect(second?.properties).toMatchObject({ kind: "ssh", generation: 1, of: 2 });
  });

  it("changes nothing that another stack imports: CloudFormation would refuse", () => {
    for (const { templates } of [before, ...Object.values(after)])
      for (const template of Object.values(templates)) {
        const resources = template.toJSON()["Resources"] as Record<string, { readonly Type: string }>;
        for (const [id, { Value, Export }] of Object.entries(template.findOutputs("*"))) {
          const [source] = (Value as { "Fn::GetAtt"?: string[] })["Fn::GetAtt"] ?? [];
          if (Export !== undefined && source !== undefined)
            expect(resources[source]?.Type, id).not.toMatch(/^Custom::/);
        }
      }
  });
});
