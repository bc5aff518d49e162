import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { dynamoApprovalStore } from "../../aws/dynamo/approval-store.ts";
import { dynamoCancelKeys } from "../../aws/dynamo/cancel-keys.ts";
import { dynamoLeaseStore } from "../../aws/dynamo/lease-store.ts";
import { dynamoPassStore } from "../../aws/dynamo/pass-store.ts";
import { dynamoPeopleStore } from "../../aws/dynamo/people-store.ts";
import { dynamoSentMails } from "../../aws/dynamo/sent-mails.ts";
import { dynamoSessionStore } from "../../aws/dynamo/session-store.ts";
import { dynamoSignInStore } from "../../aws/dynamo/sign-in-store.ts";
import { dynamoSshKeyStore } from "../../aws/dynamo/ssh-key-store.ts";
import { type LocalDynamo, PATIENCE_MS, startDynamo } from "../setup/dynamodb.ts";
import { approvalStoreContract } from "./approval-store.ts";
import { cancelKeysContract } from "./cancel-keys.ts";
import { leaseStoreContract } from "./lease-store.ts";
import { passStoreContract } from "./pass-store.ts";
import { peopleStoreContract } from "./people-store.ts";
import { sentMailsContract } from "./sent-mails.ts";
import { sessionStoreContract } from "./session-store.ts";
import { signInStoreContract } from "./sign-in-store.ts";
import { sshKeyStoreContract } from "./ssh-key-store.ts";

vi.setConfig({ testTimeout: 2 * PATIENCE_MS });
let dynamo: LocalDynamo;
/** Every command that an adapter has sent, and whether it read consistently. */
const sent: { readonly name: string; readonly input: Record<string, unknown> }[] = [];

beforeAll(async () => {
  dynamo = await startDynamo();
  dynamo.client.middlewareStack.add(
    (next, { commandName }) =>
      (args) => {
        sent.push({ name: commandName ?? "", input: args.input as Record<string, unknown> });
        return next(args);
      },
    { step: "initialize" },
  );
}, 90_000);
afterAll(() => dynamo?.stop());

// A new table for each store.
sessionStoreContract("DynamoDB", async () =>
  dynamoSessionStore(dynamo.client, await dynamo.table("sessions"), PATIENCE_MS),
);
passStoreContract("DynamoDB", async () => dynamoPassStore(dynamo.client, await dynamo.table("passes"), PATIENCE_MS));
approvalStoreContract("DynamoDB", async () =>
  dynamoApprovalStore(dynamo.client, await dynamo.table("approvals"), PATIENCE_MS),
);
leaseStoreContract("DynamoDB", async () =>
  dynamoLeaseStore(dynamo.client, await dynamo.table("coordination"), PATIENCE_MS),
);
cancelKeysContract("DynamoDB", async () =>
  dynamoCancelKeys(dynamo.client, await dynamo.table("coordination"), Date.now, PATIENCE_MS),
);
signInStoreContract("DynamoDB", async () =>
  dynamoSignInStore(dynamo.client, await dynamo.table("signIns"), PATIENCE_MS),
);
peopleStoreContract("DynamoDB", async () =>
  dynamoPeopleStore(dynamo.client, await dynamo.table("people"), PATIENCE_MS),
);
sshKeyStoreContract("DynamoDB", async () =>
  dynamoSshKeyStore(dynamo.client, await dynamo.table("people"), PATIENCE_MS),
);
sentMailsContract("DynamoDB", async () => dynamoSentMails(dynamo.client, await dynamo.table("coordination")));

describe("what the stores have asked DynamoDB while they passed", () => {
  it("was never a scan, and each read was strongly consistent", () => {
    const commands = new Set(sent.map(({ name }) => name));
    expect([...commands].toSorted()).toEqual([
      "BatchGetItemCommand",
      "CreateTableCommand",
      "DeleteItemCommand",
      "GetItemCommand",
      "PutItemCommand",
      "QueryCommand",
      "TransactWriteItemsCommand",
      "UpdateItemCommand",
    ]);
    for (const { name, input } of sent) {
      if (name === "GetItemCommand" || name === "QueryCommand") expect(input["ConsistentRead"], name).toBe(true);
      if (name === "QueryCommand") expect(input["IndexName"]).toBeUndefined();
      for (const { ConsistentRead } of Object.values((input["RequestItems"] as { ConsistentRead?: boolean }[]) ?? {}))
        expect(ConsistentRead).toBe(true);
    }
  });
});
