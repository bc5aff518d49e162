import type { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { dynamoApprovalStore } from "../../aws/dynamo/approval-store.ts";
import { dynamoCancelKeys } from "../../aws/dynamo/cancel-keys.ts";
import { dynamoLeaseStore } from "../../aws/dynamo/lease-store.ts";
import { dynamoPassStore } from "../../aws/dynamo/pass-store.ts";
import { dynamoPeopleStore } from "../../aws/dynamo/people-store.ts";
import { dynamoSessionStore } from "../../aws/dynamo/session-store.ts";
import { dynamoSignInStore } from "../../aws/dynamo/sign-in-store.ts";
import { dynamoSshKeyStore } from "../../aws/dynamo/ssh-key-store.ts";
import type { TableId } from "../../aws/tables.ts";
import type { PrincipalId } from "../../core/identity/principal.ts";
import type { CancelTarget } from "../../core/ports/cancel-keys.ts";
import type { NewPass, PassHash, PassId } from "../../core/ports/pass-store.ts";
import type { SessionClosing, SessionOpening } from "../../core/ports/session-store.ts";
import type { DeviceCodeHash, DeviceRequest, UserCode } from "../../core/ports/sign-in-store.ts";
import type { SshFingerprint, SshKey } from "../../core/ports/ssh-key-store.ts";
import { ALICE, digestOf, NOW } from "./approvals.ts";
import { sessionIdAt } from "./session-ids.ts";

/** Every store of `aws/dynamo`, on tables of these names. */
export function dynamoStores(client: DynamoDBClient, table: (id: TableId) => string, deadlineMs?: number) {
  return {
    sessions: dynamoSessionStore(client, table("sessions"), deadlineMs),
    passes: dynamoPassStore(client, table("passes"), deadlineMs),
    approvals: dynamoApprovalStore(client, table("approvals"), deadlineMs),
    signIns: dynamoSignInStore(client, table("signIns"), deadlineMs),
    people: dynamoPeopleStore(client, table("people"), deadlineMs),
    sshKeys: dynamoSshKeyStore(client, table("people"), deadlineMs),
    leases: dynamoLeaseStore(client, table("coordination"), deadlineMs),
    cancelKeys: dynamoCancelKeys(client, table("coordination"), () => NOW, deadlineMs),
  };
}

export const OPENING: SessionOpening = {
  id: sessionIdAt(NOW),
  protocol: "postgres",
  connection: "shop",
  principalId: ALICE.id,
  principalName: ALICE.name,
  passId: "pass-1" as PassId,
  client: "192.0.2.7:50123",
  task: "task-1",
  startedAt: NOW,
};

export const CLOSING: SessionClosing = {
  endedAt: NOW + 1,
  reason: "client-closed",
  statements: 1,
  bytesFromClient: 1,
  bytesFromTarget: 1,
  chunks: 1,
  head: digestOf("c"),
};

export const PASS: NewPass = {
  hash: digestOf("b") as PassHash,
  principal: ALICE,
  connection: undefined,
  label: "laptop",
  issuedAt: NOW,
  expiresAt: NOW + 1_000,
};

export const DEVICE: DeviceRequest = {
  deviceCode: digestOf("d") as DeviceCodeHash,
  userCode: "BCDFGHJK" as UserCode,
  label: "laptop",
  address: "192.0.2.7",
  connection: undefined,
  requestedAt: NOW,
  expiresAt: NOW + 1_000,
};

export const KEY: SshKey = {
  fingerprint: "SHA256:abc" as SshFingerprint,
  type: "ssh-ed25519",
  owner: ALICE.id,
  label: "laptop",
  registeredAt: NOW,
};

export const TARGET: CancelTarget = {
  session: sessionIdAt(NOW),
  connection: "shop",
  processId: 4711,
  secret: Buffer.from("the target's own"),
};

export const EVE = "https://idp.example|eve" as PrincipalId;
