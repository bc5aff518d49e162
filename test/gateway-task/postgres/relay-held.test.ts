import { serialize } from "pg-protocol/dist/serializer.js";
import { beforeAll, expect, test } from "vitest";
import { SallyportError } from "../../../core/errors.ts";
import { loadSqlParser } from "../../../core/policy/sql-parser.ts";
import { statementFacts } from "../../../core/policy/statement-facts.ts";
import type { ChannelEvents } from "../../../gateway-task/channel.ts";
import { newHeldLimits } from "../../../gateway-task/consent.ts";
import { newFactsReader } from "../../../gateway-task/postgres/facts-reader.ts";
import { Relay } from "../../../gateway-task/postgres/relay.ts";
import { ALICE } from "../../setup/approvals.ts";
import { message, readyForQuery } from "../../setup/backend-bytes.ts";
import { HOLDING, policiesOf } from "../../setup/policies.ts";

beforeAll(loadSqlParser);

// What nobody handles fails the run; in a task it would end every session.
test("a recorder that fails while somebody is being told of a hold ends that session, and nothing else", async () => {
  let outputs = 0;
  const failure = new SallyportError("limit-exceeded", "the disk is full");
  const recorder = {
    session: "s",
    event: () => {},
    input: (bytes: Buffer) => ({ bytes }),
    withheld: (bytes: Buffer) => ({ bytes }),
    output: (bytes: Buffer) => {
      outputs++;
      if (outputs === 1) return { bytes };
      // The notice of the hold waits for its flush; what the target says meanwhile is refused.
      return new Promise((_done, failed) => (outputs === 2 ? undefined : setImmediate(() => failed(failure))));
    },
  };
  const events: { client?: ChannelEvents; target?: ChannelEvents } = {};
  const channel = (side: "client" | "target") => ({
    isIdle: true,
    send: () => undefined,
    start: (its: ChannelEvents) => void (events[side] = its),
    end: () => {},
  });
  const policies = policiesOf(HOLDING);
  const approvals = {
    request: async () => ({ id: "a", link: "https://sallyport.example/a" }),
    decided: () => new Promise(() => {}),
    cancel: async () => {},
  };
  const logger = { warn: () => {} };
  const deps = {
    policies: () => policies,
    facts: newFactsReader(statementFacts),
    held: newHeldLimits(),
    clock: Date.now,
    approvals,
    logger,
  };
  const asker = { session: "s", requester: ALICE, connection: "shop", environment: "test", client: "192.0.2.7:1" };
  const guard = { deps, asker, guarded: true };
  const relay = new Relay(recorder as never, channel("client"), channel("target"), () => {}, guard as never);
  await relay.start(readyForQuery(), readyForQuery());
  void events.client?.consumer(serialize.query("delete from kept"));
  await expect.poll(() => outputs).toBe(2);
  const shown = events.target?.consumer(message("N", Buffer.from("SNOTICE\0\0")));
  expect(shown).toBeInstanceOf(Promise);
  await new Promise((done) => setTimeout(done, 20));
  expect(outputs).toBe(3);
});
