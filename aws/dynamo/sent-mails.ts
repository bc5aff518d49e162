import { createHash } from "node:crypto";
import type { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { foldName } from "../../core/approval/same-person.ts";
import type { ApprovalId } from "../../core/ports/approval-desk.ts";
import type { SentMails } from "../../core/ports/sent-mails.ts";
import type { Key } from "./expressions.ts";
import { partition, ttlAt } from "./keys.ts";
import { asking } from "./table.ts";

/** A stream keeps its records for so long: nobody tries a batch again that is older. */
const STREAM_MEMORY_MS = 24 * 60 * 60 * 1000;

/** Marks on the table `coordination`, by approval and by the hash of the address. */
export function dynamoSentMails(client: DynamoDBClient, tableName: string): SentMails {
  const ask = asking(client, tableName);
  return {
    wasSent: (approval, email) =>
      ask("look up a mail", async (table) => (await table.get(markKey(approval, email))) !== undefined),
    noteSent: (approval, email, until) =>
      ask("note a mail", async (table) => {
        await table.write({ put: { ...markKey(approval, email), ttl: ttlAt(until + STREAM_MEMORY_MS) } });
      }),
  };
}

function markKey(approval: ApprovalId, email: string): Key {
  return { pk: partition("mail", approval), sk: createHash("sha256").update(foldName(email)).digest("hex") };
}
