import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { afterEach, describe, expect, it, vi } from "vitest";
import { clientOptions, MAX_ATTEMPTS } from "../../../aws/client-options.ts";
import { ALICE, requested } from "../../setup/approvals.ts";
import { CLOSING, DEVICE, dynamoStores, EVE, KEY, OPENING, PASS, TARGET } from "../../setup/dynamo-stores.ts";
import { localSettings, PATIENCE_MS } from "../../setup/dynamodb.ts";

vi.setConfig({ testTimeout: 2 * PATIENCE_MS });
type Stores = ReturnType<typeof dynamoStores>;

const SECRET = Buffer.from("the client's canary");
const open: (Server | DynamoDBClient)[] = [];
afterEach(() => {
  for (const one of open.splice(0)) {
    if (one instanceof DynamoDBClient) one.destroy();
    else one.close().closeAllConnections();
  }
});

/** The stores on an endpoint that answers like this. */
async function storesOn(answer: RequestListener, deadlineMs?: number): Promise<Stores> {
  const server = createServer(answer).listen(0, "127.0.0.1");
  open.push(server);
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return storesAt(`http://127.0.0.1:${address.port}`, deadlineMs);
}

/** @param deadlineMs where it is not about the deadline; requests may take a third of it */
function storesAt(endpoint: string, deadlineMs?: number): Stores {
  const client = new DynamoDBClient({ ...clientOptions(deadlineMs && deadlineMs / 3), ...localSettings(endpoint) });
  open.push(client);
  return dynamoStores(client, (id) => id, deadlineMs);
}

/** What DynamoDB says in its protocol (AWS JSON 1.0). */
function says(status: number, type: string, body: object = {}): RequestListener {
  return (_request, response) => {
    response.writeHead(status, { "content-type": "application/x-amz-json-1.0" });
    response.end(JSON.stringify(type === "" ? body : { __type: `com.amazonaws.dynamodb.v20120810#${type}`, ...body }));
  };
}

/** The first so many requests are answered by one, all others by the other. */
function first(times: number, failing: RequestListener, then: RequestListener): RequestListener & { seen: number } {
  const listener = Object.assign<RequestListener, { seen: number }>(
    (request, response) => (++listener.seen <= times ? failing : then)(request, response),
    { seen: 0 },
  );
  return listener;
}

/** One call of every method of every store. */
const METHODS: Readonly<Record<string, (stores: Stores) => Promise<unknown>>> = {
  "sessions.open": ({ sessions }) => sessions.open(OPENING),
  "sessions.close": ({ sessions }) => sessions.close(OPENING.id, CLOSING),
  "sessions.get": ({ sessions }) => sessions.get(OPENING.id),
  "sessions.list": ({ sessions }) => sessions.list({ limit: 1 }),
  "sessions.closedBefore": ({ sessions }) => sessions.closedBefore(1, 1),
  "sessions.forget": ({ sessions }) => sessions.forget(OPENING.id),
  "sessions.liveOf": ({ sessions }) => sessions.liveOf("task-1", 1),
  "passes.find": ({ passes }) => passes.find(PASS.hash),
  "passes.issue": ({ passes }) => passes.issue(PASS),
  "passes.revoke": ({ passes }) => passes.revoke("id" as never, 1),
  "passes.get": ({ passes }) => passes.get("id" as never),
  "passes.listFor": ({ passes }) => passes.listFor(ALICE.id, 1),
  "passes.revokedSince": ({ passes }) => passes.revokedSince(0),
  "approvals.put": ({ approvals }) => approvals.put(requested()),
  "approvals.get": ({ approvals }) => approvals.get("id" as never),
  "approvals.replace": ({ approvals }) => approvals.replace({ ...requested(), revision: 2 }),
  "approvals.list": ({ approvals }) => approvals.list({ limit: 1 }),
  "approvals.decidedSince": ({ approvals }) => approvals.decidedSince(0),
  "approvals.matching": ({ approvals }) => approvals.matching({ ...requested(), requester: EVE }, "granted", 0),
  "approvals.countWaiting": ({ approvals }) => approvals.countWaiting(EVE, 0),
  "signIns.putDevice": ({ signIns }) => signIns.putDevice(DEVICE),
  "signIns.countPending": ({ signIns }) => signIns.countPending("", 0),
  "signIns.findDevice": ({ signIns }) => signIns.findDevice(DEVICE.deviceCode),
  "signIns.findUserCode": ({ signIns }) => signIns.findUserCode(DEVICE.userCode),
  "signIns.decideDevice": ({ signIns }) => signIns.decideDevice(DEVICE.userCode, { kind: "denied" }, 0),
  "signIns.notePoll": ({ signIns }) => signIns.notePoll(DEVICE.deviceCode, 0),
  "signIns.useDevice": ({ signIns }) => signIns.useDevice(DEVICE.deviceCode, 0),
  "signIns.noteWrongCode": ({ signIns }) => signIns.noteWrongCode(EVE, 1, 0),
  "signIns.wrongCodes": ({ signIns }) => signIns.wrongCodes(EVE, 0),
  "signIns.signOut": ({ signIns }) => signIns.signOut("id" as never, 1, 0),
  "signIns.isSignedOut": ({ signIns }) => signIns.isSignedOut("id" as never),
  "signIns.useOnce": ({ signIns }) => signIns.useOnce("id" as never, 1, 0),
  "signIns.endAccess": ({ signIns }) => signIns.endAccess(EVE, 0),
  "signIns.notBefore": ({ signIns }) => signIns.notBefore(EVE),
  "signIns.keepRenewal": ({ signIns }) => signIns.keepRenewal(EVE, { sealed: "a", expiresAt: 1 }),
  "signIns.takeRenewal": ({ signIns }) => signIns.takeRenewal(EVE, 0, 1),
  "signIns.putBackRenewal": ({ signIns }) => signIns.putBackRenewal(EVE, { sealed: "a", expiresAt: 1 }, undefined),
  "people.signedIn": ({ people }) =>
    people.signedIn({ id: EVE, name: "eve", email: undefined, groups: ["a"], seenAt: 0, freshUntil: 0 }),
  "people.toldAgain": ({ people }) =>
    people.toldAgain({ id: EVE, name: "eve", email: undefined, groups: [], seenAt: 0, freshUntil: 0 }),
  "people.find": ({ people }) => people.find(EVE),
  "people.inGroup": ({ people }) => people.inGroup("a", 0, 1),
  "people.withEmail": ({ people }) => people.withEmail("eve@shop.example"),
  "sshKeys.register": ({ sshKeys }) => sshKeys.register(KEY),
  "sshKeys.listFor": ({ sshKeys }) => sshKeys.listFor(EVE),
  "sshKeys.find": ({ sshKeys }) => sshKeys.find(KEY.fingerprint),
  "sshKeys.remove": ({ sshKeys }) => sshKeys.remove(EVE, KEY.fingerprint, 0),
  "leases.acquire": ({ leases }) => leases.acquire("a", "b"),
  "leases.look": ({ leases }) => leases.look("a"),
  "leases.takeOver": ({ leases }) => leases.takeOver("a", "b", "c"),
  "leases.release": ({ leases }) => leases.release("a", "b"),
  "cancelKeys.put": ({ cancelKeys }) => cancelKeys.put(1, SECRET, TARGET),
  "cancelKeys.find": ({ cancelKeys }) => cancelKeys.find(1, SECRET),
  "cancelKeys.remove": ({ cancelKeys }) => cancelKeys.remove(TARGET.session),
};

const DOWN = says(500, "InternalServerError", { message: "down" });
const THROTTLED = says(400, "ProvisionedThroughputExceededException", { message: "slow down" });
const ABORTED: RequestListener = (request) => void request.socket.destroy();
const SILENT: RequestListener = () => undefined;

describe("a DynamoDB that fails", () => {
  it("is asked a bounded number of times by each method, which then answers store-unavailable", async () => {
    const called = dynamoStores(new DynamoDBClient(localSettings("http://127.0.0.1:9")), (id) => id);
    const all = Object.entries(called).flatMap(([store, methods]) => Object.keys(methods).map((one) => `${store}.${one}`)); // prettier-ignore
    expect(Object.keys(METHODS).toSorted()).toEqual(all.toSorted());
    for (const [name, call] of Object.entries(METHODS)) {
      const listener = first(0, DOWN, DOWN);
      const error: unknown = await call(await storesOn(listener, PATIENCE_MS)).catch((thrown: unknown) => thrown);
      expect(error, name).toMatchObject({ code: "store-unavailable", cause: expect.anything() });
      expect(listener.seen, name).toBeGreaterThanOrEqual(MAX_ATTEMPTS);
      expect(listener.seen % MAX_ATTEMPTS, name).toBe(0); // some ask several questions at once
    }
  });

  it("is asked again after a throttle, an error of its own or a lost connection, and answers", async () => {
    for (const failing of [THROTTLED, DOWN, ABORTED]) {
      const listener = first(MAX_ATTEMPTS - 1, failing, says(200, "", { Item: { holder: { S: "task-1" }, version: { S: "v" } } })); // prettier-ignore
      expect(await (await storesOn(listener, PATIENCE_MS)).leases.look("a")).toEqual({
        holder: "task-1",
        version: "v",
      });
      expect(listener.seen).toBe(MAX_ATTEMPTS);
    }
  });

  it("that never answers, throttles for good or is not there ends as store-unavailable too", async () => {
    const calls = [SILENT, THROTTLED, ABORTED].map(async (answer) => (await storesOn(answer)).passes.revokedSince(0));
    const results = await Promise.allSettled([...calls, storesAt("http://127.0.0.1:9").passes.revokedSince(0)]);
    for (const result of results)
      expect(result).toMatchObject({ status: "rejected", reason: { code: "store-unavailable" } });
  });

  it("is not asked again for what it refuses for good", async () => {
    const listener = first(0, DOWN, says(400, "ResourceNotFoundException", { message: "no such table" }));
    const { passes } = await storesOn(listener);
    await expect(passes.find(PASS.hash)).rejects.toMatchObject({ code: "store-unavailable" });
    expect(listener.seen).toBe(1);
  });

  it("that only ever conflicts is given up as well", async () => {
    const reasons = { CancellationReasons: [{ Code: "None" }, { Code: "TransactionConflict" }] };
    const listener = first(0, DOWN, says(400, "TransactionCanceledException", { Message: "conflict", ...reasons }));
    const { sessions } = await storesOn(first(1, says(200, "", {}), listener));
    await expect(sessions.open(OPENING)).rejects.toMatchObject({ code: "store-unavailable" });
    expect(listener.seen).toBeGreaterThan(MAX_ATTEMPTS);
  });

  it("and whose transactions conflict for a while, or are throttled in part, is asked until they pass", async () => {
    for (const Code of ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"]) {
      const reasons = { Message: "cancelled", CancellationReasons: [{ Code }, { Code: "None" }] };
      const failing = says(400, "TransactionCanceledException", reasons);
      const { sessions } = await storesOn(
        first(1, says(200, "", {}), first(5, failing, says(200, "", {}))),
        PATIENCE_MS,
      );
      await sessions.open(OPENING);
    }
  });
});
