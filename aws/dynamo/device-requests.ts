import { randomUUID } from "node:crypto";
import { SallyportError } from "../../core/errors.ts";
import { DEVICE_MEMORY_MS } from "../../core/identity/device-sign-in.ts";
import type {
  DeviceCodeHash,
  DeviceDecision,
  DeviceRequest,
  DeviceRow,
  SignInStore,
  UserCode,
} from "../../core/ports/sign-in-store.ts";
import { ABSENT, type Item, type Key } from "./expressions.ts";
import { order, orderFrom, partition, ttlAt } from "./keys.ts";
import { principalItem, principalOf } from "./principal.ts";
import type { Ask, Table } from "./table.ts";

type DeviceMethods =
  "putDevice" | "countPending" | "findDevice" | "findUserCode" | "decideDevice" | "notePoll" | "useDevice";

/**
 * All requests by their end, which is how they are counted and forgotten. One partition: at most MAX_PENDING_DEVICES wait at a
 * time, whatever strangers do, which is two a second.
 */
const BY_END = "devices";
/** Of what expired long ago, so many go with each new one; the rest goes with the next, or by TTL. */
const FORGOTTEN_AT_ONCE = 10;

/** A request is one item by its device code; its user code and its end point there. */
export function deviceRequests(ask: Ask): Pick<SignInStore, DeviceMethods> {
  return {
    putDevice: (request) =>
      ask("keep a device's request", async (table) => {
        await forget(table, request.requestedAt - DEVICE_MEMORY_MS);
        await put(table, request);
      }),
    countPending: (address, now) =>
      ask("count requests", async (table) => {
        // `requests` are ordered by their end: those that end after `now`.
        const question = {
          pk: BY_END,
          from: orderFrom(now + 1),
          filter: "#pending = :pending",
          values: { pending: true },
        };
        const waiting = await table.query(question);
        return { total: waiting.length, fromAddress: waiting.filter((one) => one["address"] === address).length };
      }),
    findDevice: (code) => ask("find a device's request", (table) => byDevice(table, code)),
    findUserCode: (code) => ask("find a device's request", (table) => byUser(table, code)),
    decideDevice: (code, answer, now) =>
      ask("keep a decision", async (table) => {
        const found = await byUser(table, code);
        if (found === undefined) return false;
        const principal = answer.kind === "approved" ? principalItem(answer.principal) : undefined;
        return table.transact([
          {
            update: deviceKey(found.deviceCode),
            as: `SET #decision = :decision${principal === undefined ? "" : ", #principal = :principal"}`,
            when: "#decision = :pending AND #expiresAt > :now AND #userCode = :code",
            values: { decision: answer.kind, principal, pending: "pending", now, code },
          },
          { update: endKey(found), as: "SET #pending = :no", when: "attribute_exists(#pk)", values: { no: false } },
        ]);
      }),
    notePoll: (code, at) =>
      ask("note a poll", async (table) => {
        const as = "SET #lastPolledAt = :at";
        const noted = await table.write({ update: deviceKey(code), as, when: "attribute_exists(#pk)", values: { at } });
        return noted.done ? (noted.before?.["lastPolledAt"] as number | undefined) : undefined;
      }),
    useDevice: (code, now) =>
      ask("use a device's request", async (table) => {
        const use = randomUUID();
        const used = await table.write({
          update: deviceKey(code),
          as: "SET #decision = :used, #use = :use",
          when: "#decision = :approved AND #expiresAt > :now",
          values: { used: "used", use, approved: "approved", now },
        });
        // An answer that was lost is asked for again: the use that is there then is this call's.
        return used.done || used.before?.["use"] === use ? principalOf(used.before?.["principal"]) : undefined;
      }),
  };
}

function deviceKey(code: string): Key {
  return { pk: partition("device", code), sk: "device" };
}

function userKey(code: string): Key {
  return { pk: partition("code", code), sk: "code" };
}

function endKey({ expiresAt, deviceCode }: Pick<DeviceRequest, "expiresAt" | "deviceCode">): Key {
  return { pk: BY_END, sk: order(expiresAt, deviceCode) };
}

async function put(table: Table, request: DeviceRequest): Promise<void> {
  const { deviceCode, userCode, label, address, connection, requestedAt, expiresAt } = request;
  const ttl = ttlAt(expiresAt + DEVICE_MEMORY_MS);
  const main = { deviceCode, userCode, label, address, connection, requestedAt, expiresAt, decision: "pending", ttl };
  const kept = await table.transact([
    { put: { ...deviceKey(deviceCode), ...main }, when: ABSENT },
    { put: { ...userKey(userCode), deviceCode, ttl }, when: ABSENT },
    { put: { ...endKey(request), deviceCode, userCode, address, pending: true, ttl } },
  ]);
  if (!kept) throw new SallyportError("conflict", "this code is in use already");
}

async function forget(table: Table, before: number): Promise<void> {
  const old = await table.query({ pk: BY_END, to: orderFrom(before), limit: FORGOTTEN_AT_ONCE });
  for (const { sk, deviceCode, userCode } of old) {
    await table.transact([
      { delete: deviceKey(String(deviceCode)) },
      { delete: userKey(String(userCode)), when: "#deviceCode = :deviceCode OR attribute_not_exists(#pk)", values: { deviceCode } }, // prettier-ignore
      { delete: { pk: BY_END, sk: String(sk) } },
    ]);
  }
}

async function byDevice(table: Table, code: DeviceCodeHash): Promise<DeviceRow | undefined> {
  const found = await table.get(deviceKey(code));
  return found && toDevice(found);
}

async function byUser(table: Table, code: UserCode): Promise<DeviceRow | undefined> {
  const found = await table.get(userKey(code));
  return found && byDevice(table, String(found["deviceCode"]) as DeviceCodeHash);
}

function toDevice(item: Item): DeviceRow {
  const { deviceCode, userCode, label, address, connection, requestedAt, expiresAt, lastPolledAt } = item;
  const row = { deviceCode, userCode, label, address, connection, requestedAt, expiresAt, lastPolledAt };
  return { ...(row as Omit<DeviceRow, "decision">), decision: decisionOf(item) };
}

function decisionOf({ decision, principal }: Item): DeviceDecision {
  const kind = decision as DeviceDecision["kind"];
  return kind === "approved" ? { kind, principal: principalOf(principal) } : { kind };
}
