import { createHash } from "node:crypto";
import type { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import type { Instant } from "../../core/brand.ts";
import { SallyportError } from "../../core/errors.ts";
import type { CancelKeys, CancelTarget } from "../../core/ports/cancel-keys.ts";
import type { Clock } from "../../core/ports/clock.ts";
import type { SessionId } from "../../core/ports/session-store.ts";
import type { Item, Key } from "./expressions.ts";
import { partition, ttlAt } from "./keys.ts";
import { asking, type Table } from "./table.ts";

/** PostgreSQL 18 §54.7 BackendKeyData: "The minimum and maximum key length are 4 and 256 bytes". */
const MIN_SECRET_BYTES = 4;
const MAX_SECRET_BYTES = 256;
/** No task lives so long without a deploy; after it, what a dead task has left is gone. */
const CANCEL_KEY_LIFETIME_MS = 30 * 24 * 60 * 60 * 1000;
const CANCEL = "cancel";

/**
 * Cancel keys on the table `coordination`. A key that another session holds is a `conflict`: give that client another secret. The
 * client's secret is kept as its SHA-256; the target's own, which only cancels one statement there, rests in the table as it is,
 * under the table's encryption.
 */
export function dynamoCancelKeys(
  client: DynamoDBClient,
  tableName: string,
  clock: Clock,
  deadlineMs?: number,
): CancelKeys {
  const ask = asking(client, tableName, deadlineMs);
  return {
    put: (processId, clientSecret, target) =>
      ask("keep the cancel key", async (table) => {
        if (!isSecret(clientSecret)) throw new SallyportError("bad-request", "a cancel key has 4 to 256 bytes");
        await put(table, cancelKey(processId, clientSecret), target, clock());
      }),
    find: (processId, clientSecret) =>
      ask("find the cancel key", async (table) => {
        if (!isSecret(clientSecret)) return undefined;
        const found = await table.get(cancelKey(processId, clientSecret));
        return found && found["expiresAt"] > clock() ? toTarget(found) : undefined;
      }),
    remove: (session) => ask("remove the cancel keys", (table) => remove(table, session)),
  };
}

function isSecret(secret: Uint8Array): boolean {
  return secret.length >= MIN_SECRET_BYTES && secret.length <= MAX_SECRET_BYTES;
}

function cancelKey(processId: number, secret: Uint8Array): Key {
  const hash = createHash("sha256").update(secret).digest("hex");
  return { pk: `cancel#${processId}#${hash}`, sk: CANCEL };
}

function ofSession(session: SessionId): string {
  return partition("cancel-of", session);
}

async function put(table: Table, key: Key, target: CancelTarget, now: Instant): Promise<void> {
  const { session, connection, processId, secret } = target;
  const expiresAt = now + CANCEL_KEY_LIFETIME_MS;
  const ttl = ttlAt(expiresAt);
  const kept = await table.transact([
    {
      put: { ...key, session, connection, processId, secret, expiresAt, ttl },
      when: "attribute_not_exists(#pk) OR #session = :session OR #expiresAt <= :now",
      values: { session, now },
    },
    { put: { pk: ofSession(session), sk: key.pk, ttl } },
  ]);
  if (!kept) throw new SallyportError("conflict", "another session holds this cancel key");
}

/** The key first: what points to it is there for as long as there is something to remove. */
async function remove(table: Table, session: SessionId): Promise<void> {
  const pk = ofSession(session);
  for (const { sk } of await table.query({ pk })) {
    const key = { pk: String(sk), sk: CANCEL };
    await table.write({ delete: key, when: "#session = :session", values: { session } });
    await table.write({ delete: { pk, sk: String(sk) } });
  }
}

function toTarget({ session, connection, processId, secret }: Item): CancelTarget {
  return { session, connection, processId, secret };
}
