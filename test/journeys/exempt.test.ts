import { afterAll, beforeAll, expect, test } from "vitest";
import type { Policies } from "../../core/policy/verdict.ts";
import { BLOCKING, policiesOf } from "../setup/policies.ts";
import { postgresServers } from "../setup/postgres.ts";
import { run } from "../setup/programs.ts";
import { type ShopJourney, startShop } from "../setup/shop-journey.ts";

const EXEMPT = `@id("batch-unrecorded") permit (principal, action == Action::"connectUnrecorded", resource);`;

let shop: ShopJourney;
let policies: Policies;
beforeAll(async () => {
  const [server] = postgresServers();
  if (server === undefined) throw new Error("there is no PostgreSQL to test with");
  policies = policiesOf(BLOCKING + EXEMPT);
  shop = await startShop(server, { policies: () => policies });
});
afterAll(() => shop.stop());

test("a session that a policy exempts from recording is judged, and its record holds who, when and that policy, and no statement", async () => {
  const ran = await run("psql", ["-X", "-A", "-t", "-c", "select 'not kept'", "-c", "drop table orders"], {
    env: await shop.through(),
  });
  expect([ran.stdout.toString().trim(), ran.stderr]).toEqual(["not kept", expect.stringContaining("tables are not")]);
  const { events, statements, row } = await shop.gateway.lastClosed();
  expect(events[0]).toMatchObject({ type: "session-opened", unrecordedBy: "batch-unrecorded" });
  expect(events.map(({ type }) => type)).toEqual(["session-opened", "verdict", "session-closed"]);
  expect([statements, row.closing.statements, row.closing.bytesFromTarget]).toEqual([[], 0, 0]);
  expect(JSON.stringify(events)).not.toContain("not kept");
});

test("as soon as no policy exempts it, the next session is recorded", async () => {
  policies = policiesOf(BLOCKING);
  await run("psql", ["-X", "-c", "select 'kept'"], { env: await shop.through() });
  const { events, statements } = await shop.gateway.lastClosed();
  expect(events[0]).not.toHaveProperty("unrecordedBy");
  expect(statements.map(({ text }) => text)).toEqual(["select 'kept'"]);
});
