import { serialize } from "pg-protocol/dist/serializer.js";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { SallyportError } from "../../core/errors.ts";
import { UNGUARDED } from "../../core/policy/unguarded.ts";
import type { Policies } from "../../core/policy/verdict.ts";
import type { ApprovalDesk, ApprovalId } from "../../core/ports/approval-desk.ts";
import { BLOCKING, HOLDING, policiesOf } from "../setup/policies.ts";
import { postgresServers } from "../setup/postgres.ts";
import { startShop, type ShopJourney } from "../setup/shop-journey.ts";
import { connectWire, errorText, logIn, startupMessage, type WireClient } from "../setup/wire-client.ts";

const { query, end } = serialize;
const down = async (): Promise<never> => {
  throw new SallyportError("store-unavailable", "the store is down");
};
const WORKING: ApprovalDesk = {
  request: async () => ({ id: "an-id" as ApprovalId, link: "https://sallyport.test/approvals/an-id" }),
  decided: async () => ({ kind: "granted", by: [] }),
  use: async () => {},
  cancel: async () => {},
  granted: async () => undefined,
};

let shop: ShopJourney;
let desk: ApprovalDesk;
let policies: Policies;
const guarding = policiesOf(BLOCKING + HOLDING);
beforeAll(async () => {
  const [newest] = postgresServers();
  if (newest === undefined) throw new Error("there is no PostgreSQL to test with");
  const approvals: ApprovalDesk = {
    request: (held) => desk.request(held),
    decided: (id, signal) => desk.decided(id, signal),
    use: (id, held) => desk.use(id, held),
    cancel: (id) => desk.cancel(id),
    granted: (held) => desk.granted(held),
  };
  shop = await startShop(newest, { policies: () => policies, approvals, plaintextOnLoopback: true });
  await shop.admin.query("create table kept (id int); alter table kept owner to shop_owner");
  await shop.admin.query("create table salaries (id int); alter table salaries owner to shop_owner");
});
afterAll(() => shop.stop());
beforeEach(async () => {
  [desk, policies] = [WORKING, guarding];
  await shop.mark();
});

async function open(): Promise<WireClient> {
  const client = await connectWire({ port: shop.gateway.port });
  await logIn(client, await shop.gateway.pass());
  return client;
}

/** What answers a query, and that the session goes on behind it. */
async function asking(text: string): Promise<string> {
  const client = await open();
  client.send(query(text), query("select 1"));
  const met = await client.until("Z");
  expect((await client.until("Z")).map(({ tag }) => tag).join("")).toBe("TDCZ");
  client.send(end());
  await shop.gateway.lastClosed();
  const error = met.find(({ tag }) => tag === "E");
  return error === undefined ? "ran" : errorText(error);
}
const ran = async (what: string): Promise<number> => (await shop.logged()).filter((text) => text.includes(what)).length;

const FAULTS: Record<string, [Partial<ApprovalDesk>, RegExp]> = {
  "that cannot be asked": [{ request: down }, /^58000 .*store is down/],
  "that does not say what was decided": [{ decided: down }, /^58000 .*store is down/],
  "that cannot use up the grant": [{ use: down }, /^58000 .*store is down/],
  "whose request has expired": [{ decided: async () => ({ kind: "expired" }) }, /^42501 .*nobody consented in time/],
  "whose grant is used": [
    {
      use: async () => {
        throw new SallyportError("conflict", "it was used");
      },
    },
    /^55000 .*it was used/,
  ],
};
test.each(Object.entries(FAULTS))("nothing that is held runs by a desk %s", async (_, [fault, met]) => {
  desk = { ...WORKING, ...fault };
  expect(await asking("delete from kept")).toMatch(met);
  expect(await ran("delete")).toBe(0);
  desk = WORKING;
  expect(await asking("delete from kept")).toBe("ran");
  expect(await ran("delete")).toBe(1);
});

test("a long statement is judged in a thread of its own, as a short one is", async () => {
  for (const bytes of [100, 5_000, 80_000, 900_000]) {
    const filling = `/*${"x".repeat(bytes)}*/`;
    expect(await asking(`select 1 ${filling}`)).toBe("ran");
    expect(await asking(`select ${filling} * from salaries`)).toMatch(/^42501 .*salaries are private/);
  }
  expect(await ran("from salaries")).toBe(0);
});

test("what is too long to be read, or no SQL, is not run", async () => {
  for (const text of [`select '${"x".repeat(2 << 20)}'`, "selct 1", "select 1 \u0001 )"])
    expect(await asking(text)).toMatch(/^42501 .*what cannot be read/);
});

test.each([
  "set standard_conforming_strings = off",
  "set client_encoding = 'SJIS'",
  "select set_config('backslash_quote', 'on', false)",
])("%s is refused, since what follows could not be judged", async (text) => {
  expect(await asking(text)).toMatch(/^42501 .*changes how SQL is read/);
});

test("what changes nothing about how SQL is read may be set", async () => {
  for (const text of [
    "set standard_conforming_strings = on",
    "set client_encoding to 'UTF8'",
    "set names 'utf-8'",
    "set search_path = public",
  ])
    expect(await asking(text)).toBe("ran");
});

test.each([
  { options: "-c standard_conforming_strings=off" },
  { options: "--client-encoding=SJIS" },
  { client_encoding: "GBK" },
])("a start-up with %o is refused", async (settings) => {
  const client = await connectWire({ port: shop.gateway.port });
  client.send(startupMessage({ user: "whoever", database: "shop", ...settings }));
  await client.until("R");
  client.send(serialize.password(await shop.gateway.pass()));
  const refused = (await client.until("EZ")).at(-1);
  expect(refused && errorText(refused)).toMatch(/^42501 .*changes how SQL is read/);
});

test("a session that began without policies ends when there are some", async () => {
  policies = UNGUARDED;
  const client = await open();
  client.send(query("select 1"));
  await client.until("Z");
  policies = guarding;
  client.send(query("drop table kept"));
  expect((await client.rest()).toString()).toMatch(/42501.*there are policies now/);
  expect(await ran("drop")).toBe(0);
});
