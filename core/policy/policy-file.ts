import {
  type ActionConstraint,
  type DetailedError,
  type EntityUidJson,
  policyToJson,
  type PolicyJson,
} from "@cedar-policy/cedar-wasm/nodejs";
import { contextUse } from "./context-use.ts";
import { lineAndColumn, offsetOfByte, type PolicyText, splitPolicies } from "./policy-text.ts";
import { ACTIONS, actionsNamed, EXEMPTIONS, type PolicyAction } from "./schema.ts";

/** What is told to clients and put into every record. */
const MAX_ID = 100;
const MAX_REASON = 500;
const MAX_GROUP = 256;
const ANNOTATIONS = new Set(["id", "reason", "approvers"]);
const ID = /^[A-Za-z0-9][A-Za-z0-9._/-]*$/;

/** A policy of ours: Cedar's, with what our annotations say. */
export interface ParsedPolicy {
  readonly id: string;
  readonly file: string;
  readonly start: number;
  readonly text: string;
  readonly effect: "permit" | "forbid";
  /** Why it forbids; empty for a permit. */
  readonly reason: string;
  /** Whose consent it yields to; none: it never does. */
  readonly approvers: string | undefined;
  /** What it looks at in the context. */
  readonly attributes: ReadonlySet<string>;
  /** What it can be asked about. */
  readonly actions: ReadonlySet<PolicyAction>;
}

/** Tells of a fault: which file, where in it, what. */
export type Complain = (file: string, offset: number, message: string) => void;

/** The policies of one file; whatever is wrong with it goes to `complain`. */
export function parsePolicyFile(file: string, text: string, complain: Complain): ParsedPolicy[] {
  const policies: ParsedPolicy[] = [];
  for (const piece of splitPolicies(text)) {
    const answer = policyToJson(piece.text);
    if (answer.type === "success") policies.push(...policyOf(file, piece, answer.json, complain));
    else for (const error of answer.errors) complain(file, piece.start + offsetOf(piece, error), messageOf(error));
  }
  return policies;
}

export function offsetOf({ text }: Pick<PolicyText, "text">, { sourceLocations }: DetailedError): number {
  return offsetOfByte(text, sourceLocations?.[0]?.start ?? 0);
}

export function messageOf({ message, help, sourceLocations }: DetailedError): string {
  const label = sourceLocations?.[0]?.label ?? null;
  const short = message.replace(/^failed to parse policy from string: |^for policy `[^`]*`, /, "");
  return [short, label, help].filter((part) => part !== null).join("; ");
}

function policyOf(file: string, { text, start }: PolicyText, json: PolicyJson, complain: Complain): ParsedPolicy[] {
  const annotations = json.annotations ?? {};
  const id = annotations["id"] ?? "";
  const { attributes, whole } = contextUse(json);
  const yields = attributes.has("approvals");
  const faults = [
    ...annotationFaults(annotations),
    ...(json.effect === "permit" ? permitFaults(annotations, yields) : forbidFaults(annotations, yields)),
    ...(whole ? ["`context` can only be used as `context.something`"] : []),
  ];
  for (const fault of faults) complain(file, start, id === "" ? fault : `policy "${id}": ${fault}`);
  if (faults.length > 0) return [];
  const { reason = "", approvers } = annotations;
  const actions = actionsOf(json.action, json.effect);
  return [{ id, file, start, text, effect: json.effect, reason, approvers, attributes, actions }];
}

function annotationFaults(annotations: Readonly<Record<string, string>>): string[] {
  const { id = "", reason = "", approvers = "" } = annotations;
  const unknown = Object.keys(annotations).filter((name) => !ANNOTATIONS.has(name));
  return [
    ...(ID.test(id) && id.length <= MAX_ID
      ? []
      : [`needs an @id("…") of letters, digits and . _ / - (at most ${MAX_ID}): records and consents name it`]),
    ...(reason.length > MAX_REASON ? [`its @reason is longer than ${MAX_REASON} characters`] : []),
    ...(approvers.length > MAX_GROUP ? [`its @approvers is longer than ${MAX_GROUP} characters`] : []),
    ...unknown.map((name) => `@${name} is no annotation of ours; there are @id, @reason and @approvers`),
  ];
}

/** Consents lift what forbids; a permit that waited for them would be a second way to say the same. */
function permitFaults(annotations: Readonly<Record<string, string>>, looksAtApprovals: boolean): string[] {
  return [
    ...(looksAtApprovals ? ["a permit cannot look at context.approvals; say it as a forbid with `unless`"] : []),
    ...("approvers" in annotations ? ["@approvers belongs to a forbid"] : []),
  ];
}

function forbidFaults({ reason, approvers }: Readonly<Record<string, string>>, looksAtApprovals: boolean): string[] {
  return [
    ...(reason ? [] : ['a forbid needs a @reason("…"): it is what the client is told']),
    ...(looksAtApprovals && !approvers
      ? ['it looks at context.approvals and needs an @approvers("group"): who may consent?']
      : []),
    ...(!looksAtApprovals && approvers !== undefined
      ? ["it has @approvers, but never looks at context.approvals: it would yield to nobody"]
      : []),
  ];
}

/** An exemption is granted by naming it, never by a permit of everything; a forbid of everything does forbid it. */
function actionsOf(constraint: ActionConstraint, effect: PolicyJson["effect"]): ReadonlySet<PolicyAction> {
  if (constraint.op !== "All") return new Set(namesIn(constraint).flatMap(actionsNamed));
  const exemptions = new Set<string>(Object.values(EXEMPTIONS));
  return new Set(ACTIONS.filter((action) => effect === "forbid" || !exemptions.has(action)));
}

function namesIn(constraint: Exclude<ActionConstraint, { op: "All" }>): string[] {
  if ("entities" in constraint) return constraint.entities.map(entityId);
  return "entity" in constraint ? [entityId(constraint.entity)] : [];
}

function entityId(entity: EntityUidJson): string {
  return "__entity" in entity ? entity["__entity"].id : entity.id;
}

/** For people: `file:line:column`. */
export function placeIn(file: string, text: string, offset: number): string {
  return `${file}:${lineAndColumn(text, offset)}`;
}
