import { randomUUID } from "node:crypto";
import type { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { WRONG_CODES_WINDOW_MS } from "../../core/identity/device-sign-in.ts";
import type { Renewal, SignInStore } from "../../core/ports/sign-in-store.ts";
import { deviceRequests } from "./device-requests.ts";
import { ABSENT, type Item, type Key } from "./expressions.ts";
import { order, orderFrom, partition, ttlAt } from "./keys.ts";
import { type Ask, asking } from "./table.ts";

/** The port on the table `signIns`. */
export function dynamoSignInStore(client: DynamoDBClient, tableName: string, deadlineMs?: number): SignInStore {
  const ask = asking(client, tableName, deadlineMs);
  return {
    ...deviceRequests(ask),
    ...wrongCodes(ask),
    ...signedOut(ask),
    ...usedOnce(ask),
    ...accessEnds(ask),
    ...renewals(ask),
  };
}

/** An item each: counted by a query of one person's, so that whoever counts sees their own and all that were before. */
function wrongCodes(ask: Ask): Pick<SignInStore, "noteWrongCode" | "wrongCodes"> {
  const partitionOf = (by: string): string => partition("wrong", by);
  return {
    noteWrongCode: (by, at, since) =>
      ask("count a wrong code", async (table) => {
        const pk = partitionOf(by);
        await table.write({ put: { pk, sk: order(at, randomUUID()), ttl: ttlAt(at + WRONG_CODES_WINDOW_MS) } });
        return table.count({ pk, from: orderFrom(since) });
      }),
    wrongCodes: (by, since) =>
      ask("count wrong codes", (table) => table.count({ pk: partitionOf(by), from: orderFrom(since) })),
  };
}

function signedOut(ask: Ask): Pick<SignInStore, "signOut" | "isSignedOut"> {
  const key = (token: string) => ({ pk: partition("signed-out", token), sk: "token" });
  return {
    signOut: (token, expiresAt) =>
      ask("sign out", async (table) => {
        await table.write({ put: { ...key(token), ttl: ttlAt(expiresAt) } });
      }),
    isSignedOut: (token) => ask("look up a session", async (table) => (await table.get(key(token))) !== undefined),
  };
}

function usedOnce(ask: Ask): Pick<SignInStore, "useOnce"> {
  return {
    useOnce: (id, expiresAt) =>
      ask("use something once", async (table) => {
        const by = randomUUID();
        const put = { pk: partition("once", id), sk: "once", by, ttl: ttlAt(expiresAt) };
        const used = await table.write({ put, when: ABSENT });
        // An answer that was lost is asked for again: what is there then is what this call wrote.
        return used.done || used.before?.["by"] === by;
      }),
  };
}

/** For good: what was proven before is never good again. */
function accessEnds(ask: Ask): Pick<SignInStore, "endAccess" | "notBefore"> {
  const key = (principal: string) => ({ pk: partition("ended", principal), sk: "ended" });
  return {
    endAccess: (principal, at) =>
      ask("end somebody's access", async (table) => {
        const when = "attribute_not_exists(#pk) OR #at < :at";
        await table.write({ put: { ...key(principal), at }, when, values: { at } });
      }),
    notBefore: (principal) =>
      ask("look up whether access was ended", async (table) => {
        const found = await table.get(key(principal));
        return found?.["at"] as number | undefined;
      }),
  };
}

const WHILE_TAKEN = "#sealed = :taken";

function renewals(ask: Ask): Pick<SignInStore, "keepRenewal" | "takeRenewal" | "putBackRenewal"> {
  const key = (principal: string): Key => ({ pk: partition("renewal", principal), sk: "renewal" });
  const itemOf = (of: string, { sealed, expiresAt }: Renewal): Item & Key => {
    return { ...key(of), sealed, expiresAt, takenUntil: 0, ttl: ttlAt(expiresAt) };
  };
  return {
    keepRenewal: (of, renewal) =>
      ask("keep a renewal", async (table) => {
        await table.write(renewal === undefined ? { delete: key(of) } : { put: itemOf(of, renewal) });
      }),
    takeRenewal: (of, now, until) =>
      ask("take a renewal", async (table) => {
        const by = randomUUID();
        const { done, before } = await table.write({
          update: key(of),
          as: "SET #takenUntil = :until, #by = :by",
          when: "#expiresAt > :now AND #takenUntil <= :now",
          values: { until, by, now },
        });
        if (before === undefined || before["expiresAt"] <= now) return undefined;
        // An answer that was lost is asked for again: who has it then is this call.
        if (!done && before["by"] !== by) return "taken";
        return { sealed: String(before["sealed"]), expiresAt: Number(before["expiresAt"]) };
      }),
    putBackRenewal: (of, taken, next) =>
      ask("put a renewal back", async (table) => {
        const condition = { when: WHILE_TAKEN, values: { taken: taken.sealed } };
        await table.write(
          next === undefined ? { delete: key(of), ...condition } : { put: itemOf(of, next), ...condition },
        );
      }),
  };
}
