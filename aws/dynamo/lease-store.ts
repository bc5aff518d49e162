import { randomUUID } from "node:crypto";
import type { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import type { LeaseStore } from "../../core/ports/lease-store.ts";
import type { Key } from "./expressions.ts";
import { partition } from "./keys.ts";
import { asking } from "./table.ts";

/** Leases on the table `coordination`. They bear no time, so that none expires: who holds one gives it up, or is taken over from. */
export function dynamoLeaseStore(client: DynamoDBClient, tableName: string, deadlineMs?: number): LeaseStore {
  const ask = asking(client, tableName, deadlineMs);
  return {
    acquire: (name, holder) =>
      ask("acquire the lease", async (table) => {
        const values = { holder, version: randomUUID() };
        const when = "attribute_not_exists(#pk) OR #holder = :holder";
        return (await table.write({ put: { ...leaseKey(name), ...values }, when, values })).done;
      }),
    look: (name) =>
      ask("read the lease", async (table) => {
        const found = await table.get(leaseKey(name));
        return found && { holder: String(found["holder"]), version: String(found["version"]) };
      }),
    takeOver: (name, holder, seen) =>
      ask("take over the lease", async (table) => {
        const version = randomUUID();
        const put = { ...leaseKey(name), holder, version };
        const taken = await table.write({ put, when: "#version = :seen", values: { seen } });
        // An answer that was lost is asked for again: what is there then is what this call wrote.
        return taken.done || taken.before?.["version"] === version;
      }),
    release: (name, holder) =>
      ask("release the lease", async (table) => {
        await table.write({ delete: leaseKey(name), when: "#holder = :holder", values: { holder } });
      }),
  };
}

function leaseKey(name: string): Key {
  return { pk: partition("lease", name), sk: "lease" };
}
