import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Approver, approver } from "../setup/approver.ts";
import { HOLDING, policiesOf } from "../setup/policies.ts";
import { postgresServers } from "../setup/postgres.ts";
import { run } from "../setup/programs.ts";
import { type ShopJourney, startShop } from "../setup/shop-journey.ts";

const CANARY = "canary@canary.example";
const MASKING = { columns: [{ name: "emails", columns: ["customers.email"], style: "full" }] };

let shop: ShopJourney;
let bob: Approver;
beforeAll(async () => {
  const [server] = postgresServers();
  if (server === undefined) throw new Error("there is no PostgreSQL to test with");
  const policies = policiesOf(HOLDING);
  shop = await startShop(server, { policies: () => policies, masking: MASKING });
  bob = approver(shop.gateway.state.approvalStore);
  await shop.admin.query("create table customers (id int, email text); insert into customers values (1, 'before')");
  await shop.admin.query("alter table customers owner to shop_owner");
});
afterAll(() => shop.stop());

test.each([
  ["a literal", `update customers set email = '${CANARY}'`],
  ["a statement run by name", `prepare p (text) as update customers set email = $1; execute p ('${CANARY}')`],
])(
  "a masked column's value in %s that is held is shown to nobody, recorded nowhere, and reaches the target",
  async (_, sql) => {
    const held = run("psql", ["-X", ...sql.split("; ").flatMap((each) => ["-c", each])], { env: await shop.through() });
    expect((await bob.asked()).shown).not.toContain("canary");
    await bob.decide(true);
    expect((await held).status).toBe(0);
    expect((await shop.admin.query("select email from customers")).rows).toEqual([{ email: CANARY }]);
    const { events } = await shop.gateway.lastClosed();
    expect(events.map(({ type }) => type)).toContain("approval");
    expect(JSON.stringify(events)).not.toContain("canary");
    await shop.admin.query("update customers set email = 'before'");
  },
);

test("nor is one that is bound to a statement that is held", async () => {
  const env = await shop.through();
  const client = new pg.Client({
    host: env["PGHOST"] ?? "",
    port: Number(env["PGPORT"]),
    user: "ana",
    database: env["PGDATABASE"] ?? "",
    password: env["PGPASSWORD"] ?? "",
    ssl: { rejectUnauthorized: false },
  });
  await client.connect();
  const updated = client.query("update customers set email = $1", [CANARY]);
  expect((await bob.asked()).shown).not.toContain("canary");
  await bob.decide(true);
  expect((await updated).rowCount).toBe(1);
  await client.end();
  const { events } = await shop.gateway.lastClosed();
  expect(JSON.stringify(events)).not.toContain("canary");
});
