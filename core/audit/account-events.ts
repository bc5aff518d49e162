import type { Instant } from "../brand.ts";
import type { Principal } from "../identity/principal.ts";
import type { ApprovalId, HeldRequest } from "../ports/approval-desk.ts";
import type { Pass } from "../ports/pass-store.ts";
import type { SshKey } from "../ports/ssh-key-store.ts";
import { flat, words } from "./bounded-text.ts";
import { type Draft, type OcsfFields, type OcsfUser, type Severity, type Status } from "./ocsf.ts";
import { addressOf } from "./session-context.ts";

/** Activities of class 6003. */
const CREATE = 1;
const UPDATE = 3;
const DELETE = 4;
/** Activities of class 3002. */
const LOGON = 1;
const LOGOFF = 2;

const SERVICE = { name: "Sallyport" } as const;
/** `auth_protocol_id` of class 3002. */
const PROTOCOLS = {
  oidc: { auth_protocol: "OpenID", auth_protocol_id: 4 },
  saml: { auth_protocol: "SAML", auth_protocol_id: 5 },
  oauth: { auth_protocol: "OAUTH 2.0", auth_protocol_id: 6 },
  device: { auth_protocol: "OAUTH 2.0 device grant", auth_protocol_id: 99 },
  iam: { auth_protocol: "AWS IAM", auth_protocol_id: 99 },
} as const;
export type SignInProtocol = keyof typeof PROTOCOLS;

/** Who asked, and from which address, as the server that took the request knows it. `gateway`: a task of ours, for a client. */
export interface Asked {
  readonly by: Pick<Principal, "kind" | "id" | "name" | "groups">;
  readonly from: string;
}

/** Something that was done with accounts, passes, keys, approvals or the configuration, to be written at a time. */
export interface AuditRecord {
  readonly draft: Draft;
  readonly at: Instant;
}

/** Failed, and why: the words of the error, which hold no secret. */
interface Failed {
  readonly code: string;
  readonly message: string;
}

function userOf({ kind, id, name, groups }: Asked["by"]): OcsfUser {
  const user = { uid: id, name, type_id: kind === "user" ? 1 : 4 };
  return groups.length > 0 ? { ...user, groups: groups.map((group) => ({ name: group })) } : user;
}

function outcome(failed: Failed | undefined): { status: Status; severity: Severity; fields: OcsfFields } {
  if (failed === undefined) return { status: "success", severity: "informational", fields: {} };
  const fields = { status_code: failed.code, status_detail: words(failed.message) };
  return { status: "failure", severity: "low", fields };
}

/** Somebody signed in, by a browser or a device. */
export function signedIn(asked: Asked, protocol: SignInProtocol, at: Instant): AuditRecord {
  const user = userOf(asked.by);
  const fields = { actor: { user }, user, src_endpoint: addressOf(asked.from), service: SERVICE, is_remote: true };
  const message = words(`${asked.by.name} signed in`);
  const draft = {
    ...outcome(undefined),
    class: "authentication",
    activity: LOGON,
    code: "signed-in",
    message,
  } as const;
  return { draft: { ...draft, fields: { ...fields, ...PROTOCOLS[protocol] } }, at };
}

/** A sign-in that came to nothing: nobody knows who it was. */
export function signInFailed(from: string, protocol: SignInProtocol, failed: Failed, at: Instant): AuditRecord {
  const { status, severity, fields } = outcome(failed);
  const about = { user: { name: "unknown", type_id: 0 }, src_endpoint: addressOf(from), service: SERVICE };
  const message = words(failed.message);
  const draft = {
    class: "authentication",
    activity: LOGON,
    code: "sign-in-failed",
    status,
    severity,
    message,
  } as const;
  return { draft: { ...draft, fields: { ...about, is_remote: true, ...PROTOCOLS[protocol], ...fields } }, at };
}

export function signedOut(asked: Asked, at: Instant): AuditRecord {
  const user = userOf(asked.by);
  const fields = { actor: { user }, user, src_endpoint: addressOf(asked.from), service: SERVICE, is_remote: true };
  const message = words(`${asked.by.name} signed out`);
  const draft = {
    ...outcome(undefined),
    class: "authentication",
    activity: LOGOFF,
    code: "signed-out",
    message,
  } as const;
  return { draft: { ...draft, fields }, at };
}

interface Operation {
  readonly code: string;
  readonly activity: number | string;
  readonly message: string;
  readonly resource: { readonly uid?: string; readonly name?: string; readonly type: string };
  readonly values?: Parameters<typeof flat>[0];
  readonly correlation?: string;
  readonly failed?: Failed | undefined;
}

function operation(asked: Asked, of: Operation, at: Instant): AuditRecord {
  const { status, severity, fields } = outcome(of.failed);
  const unmapped = flat(of.values ?? {});
  const all: OcsfFields = {
    actor: { user: userOf(asked.by) },
    src_endpoint: addressOf(asked.from),
    api: { operation: of.code, service: SERVICE },
    resources: [of.resource],
    ...(Object.keys(unmapped).length > 0 && { unmapped }),
    ...fields,
  };
  const { code, activity, correlation } = of;
  const draft = { class: "api", activity, code, status, severity, message: words(of.message), correlation } as const;
  return { draft: { ...draft, fields: all }, at };
}

export function passIssued(asked: Asked, pass: Pass, at: Instant): AuditRecord {
  const values = {
    // Who acts for the owner (RFC 8693 §4.1), by their ids.
    actors: pass.principal.actors?.join(" "),
    owner: pass.principal.id,
    connection: pass.connection,
    label: pass.label,
    "expires.at": pass.expiresAt,
  };
  const message = `a pass was issued to ${pass.principal.name}`;
  const resource = { uid: pass.id, type: "pass" };
  return operation(asked, { code: "pass-issued", activity: CREATE, message, resource, values }, at);
}

export function passRefused(asked: Asked, connection: string | undefined, failed: Failed, at: Instant): AuditRecord {
  const resource = { name: words(connection ?? "every connection"), type: "pass" };
  return operation(asked, { code: "pass-refused", activity: CREATE, message: failed.message, resource, failed }, at);
}

export function passRevoked(asked: Asked, pass: Pass, at: Instant): AuditRecord {
  const resource = { uid: pass.id, type: "pass" };
  const values = { owner: pass.principal.id, connection: pass.connection, label: pass.label };
  return operation(
    asked,
    { code: "pass-revoked", activity: DELETE, message: "a pass was revoked", resource, values },
    at,
  );
}

type KeyNamed = Pick<SshKey, "fingerprint" | "type" | "owner" | "label">;

export function keyRegistered(asked: Asked, key: KeyNamed, at: Instant, failed?: Failed): AuditRecord {
  const resource = { uid: key.fingerprint, type: "ssh-public-key" };
  const values = { owner: key.owner, algorithm: key.type, label: key.label };
  const message = failed === undefined ? "a public key was registered" : failed.message;
  return operation(asked, { code: "key-registered", activity: CREATE, message, resource, values, failed }, at);
}

export function keyRemoved(asked: Asked, key: KeyNamed, at: Instant): AuditRecord {
  const resource = { uid: key.fingerprint, type: "ssh-public-key" };
  const values = { owner: key.owner, algorithm: key.type, label: key.label };
  return operation(
    asked,
    { code: "key-removed", activity: DELETE, message: "a public key was removed", resource, values },
    at,
  );
}

/** A person answered for a device that waits: it acts for them from then on. */
export function deviceDecided(
  asked: Asked,
  device: { readonly label: string; readonly address: string; readonly connection: string | undefined },
  approved: boolean,
  at: Instant,
  failed?: Failed,
): AuditRecord {
  const { label, address, connection } = device;
  const code = approved ? "device-approved" : "device-denied";
  const message = failed?.message ?? `a device was ${approved ? "approved" : "denied"}`;
  const resource = { name: words(label) || "a device", type: "device" };
  return operation(asked, { code, activity: UPDATE, message, resource, values: { address, connection }, failed }, at);
}

/** What may be said of an approval's request: not what is shown to its approvers, which the recording holds. */
type Asking = Pick<HeldRequest, "kind" | "requester" | "connection" | "digest" | "policyVersion" | "session">;

function approvalOperation(
  asked: Asked,
  id: ApprovalId,
  request: Asking,
  of: Pick<Operation, "code" | "activity" | "message" | "values" | "failed">,
  at: Instant,
): AuditRecord {
  const values = {
    kind: request.kind,
    requester: request.requester.id,
    connection: request.connection,
    digest: request.digest,
    "policy.version": request.policyVersion,
    session: request.session,
    ...of.values,
  };
  return operation(asked, { ...of, values, correlation: id, resource: { uid: id, type: "approval" } }, at);
}

export function approvalRequested(id: ApprovalId, request: HeldRequest, at: Instant): AuditRecord {
  const asked = { by: request.requester, from: request.client.replace(/:\d+$/, "") };
  const values = {
    policies: request.policies.join(" "),
    asks: request.consents.map(({ group, count }) => `${count} of ${group}`).join(", "),
    "expires.at": request.expiresAt,
  };
  const of = { code: "approval-requested", activity: CREATE, message: request.reason, values };
  return approvalOperation(asked, id, request, of, at);
}

/** What people do with an approval: `consented` and `refused` are answers, of which the request may need more. */
export type ApprovalStep = "consented" | "refused" | "cancelled" | "revoked" | "used";

export function approvalStepped(
  asked: Asked,
  approval: Asking & { readonly id: ApprovalId },
  step: ApprovalStep,
  at: Instant,
  more: { readonly words?: string; readonly failed?: Failed | undefined } = {},
): AuditRecord {
  const message = more.failed?.message ?? `the approval was ${step}`;
  const values = { words: more.words === "" ? undefined : more.words };
  const of = { code: `approval-${step}`, activity: UPDATE, message, values, failed: more.failed };
  return approvalOperation(asked, approval.id, approval, of, at);
}

/** A version of the configuration took effect, or was refused. */
export function configurationPublished(asked: Asked, version: string, at: Instant, failed?: Failed): AuditRecord {
  const resource = { uid: version, type: "configuration" };
  const message = failed?.message ?? "a configuration was published";
  return operation(asked, { code: "configuration-published", activity: UPDATE, message, resource, failed }, at);
}

/** An administrator ended a person's, or a service's, access: its sign-ins, passes and sessions. */
export function accessEnded(
  asked: Asked,
  whose: Pick<Principal, "id" | "name">,
  at: Instant,
  values: Readonly<Record<string, string | number>> = {},
): AuditRecord {
  const resource = { uid: whose.id, name: words(whose.name), type: "principal" };
  const message = `the access of ${whose.name} was ended`;
  return operation(asked, { code: "access-ended", activity: DELETE, message, resource, values }, at);
}
