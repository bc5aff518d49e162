import type { Synthesised } from "./synthesised.ts";

/** A statement of a policy document. */
export interface Statement {
  readonly Effect: string;
  readonly Action: string | string[];
  readonly Resource: unknown;
  readonly Condition?: unknown;
}

/** Every statement that grants something to a role of ours, with the policy's id. */
export function grantsOf(
  made: Synthesised,
): { readonly id: string; readonly actions: string[]; readonly resources: string[] }[] {
  const policies = made.of("AWS::IAM::Policy");
  const roles = made.of("AWS::IAM::Role").flatMap(({ id, properties }) =>
    ((properties.Policies ?? []) as { PolicyDocument: { Statement: Statement[] } }[]).map((policy) => ({
      id,
      document: policy.PolicyDocument,
    })),
  );
  const all = [
    ...policies.map(({ id, properties }) => ({
      id,
      document: properties.PolicyDocument as { Statement: Statement[] },
    })),
    ...roles,
  ];
  return all.flatMap(({ id, document }) =>
    document.Statement.map(({ Action, Resource: on }) => ({
      id,
      actions: [Action].flat(),
      resources: [on].flat().map((text) => (typeof text === "string" ? text : JSON.stringify(text))),
    })),
  );
}
