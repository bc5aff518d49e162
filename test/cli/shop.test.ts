import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { shopRows } from "../../cli/shop-data.ts";
import { createShop, SHOP_APP, SHOP_OWNER } from "../../cli/shop.ts";
import type { RunningPostgres } from "../../local/embedded-postgres.ts";
import { postgresServers } from "../setup/postgres.ts";

describe.each(postgresServers())("the demo's shop on PostgreSQL $version", ({ start }) => {
  let server: RunningPostgres;
  let owner: Client;
  let app: Client;
  const connect = async (user: string, password: string) => {
    const client = new Client({ host: server.host, port: server.port, user, password, database: "shop" });
    await client.connect();
    return client;
  };

  beforeAll(async () => {
    server = await start();
    const { host, port, superuser: user, password } = server;
    const admin = new Client({ host, port, user, password, database: "postgres" });
    await admin.connect();
    await admin.query("create database shop");
    await admin.end();
    owner = await connect(server.superuser, server.password);
    await createShop(owner, { appPassword: "it's a 'secret'" });
    app = await connect(SHOP_APP, "it's a 'secret'");
  });
  afterAll(async () => {
    await app?.end();
    await owner?.end();
    await server?.stop();
  });

  test("it holds the generator's rows, 60,000 to 80,000 of them, in every table", async () => {
    const expected = Object.entries(shopRows()).map(([table, rows]) => [table, rows.length] as const);
    for (const [table, count] of expected) {
      const { rows } = await app.query(`select count(*)::int as count from ${table}`);
      expect([table, rows[0].count]).toEqual([table, count]);
      expect(count).toBeGreaterThan(0);
    }
    const total = expected.reduce((sum, [, count]) => sum + count, 0);
    expect(total).toBeGreaterThanOrEqual(60_000);
    expect(total).toBeLessThanOrEqual(80_000);
  });

  test("everything in it belongs to shop_owner, which cannot log in", async () => {
    const { rows } = await owner.query(
      "select distinct pg_get_userbyid(relowner) as owner from pg_class where relnamespace = 'public'::regnamespace",
    );
    expect(rows).toEqual([{ owner: SHOP_OWNER }]);
    const role = await owner.query("select rolcanlogin from pg_roles where rolname = 'shop_owner'");
    expect(role.rows).toEqual([{ rolcanlogin: false }]);
  });

  test("shop_app can read every table, the view and the function, and take an order", async () => {
    await app.query("begin");
    const made = await app.query("insert into orders (customer_id, total) values (7, 12.5) returning id");
    await app.query("insert into payments (order_id, method, amount) values ($1, 'voucher', 12.5)", [made.rows[0].id]);
    const seen = await app.query("select status, customer from order_overview where id = $1", [made.rows[0].id]);
    expect(seen.rows).toEqual([{ status: "pending", customer: expect.any(String) }]);
    const value = await app.query("select customer_lifetime_value(7) >= 12.5 as enough");
    expect(value.rows).toEqual([{ enough: true }]);
    await app.query("rollback");
  });

  test.each([
    "update employees set salary = 1",
    "delete from products",
    "insert into categories (name) values ('x')",
    "create table mine (id int)",
    "drop table customers",
    "alter table customers add column x int",
    "truncate orders",
    "create role another",
    "set role shop_owner",
    "copy customers to program 'cat'",
    "copy customers from '/etc/passwd'",
    "select pg_read_file('/etc/passwd')",
  ])("shop_app may not: %s", async (statement) => {
    await expect(app.query(statement)).rejects.toMatchObject({ code: "42501" });
  });

  test("a second createShop changes no row and sets the password anew", async () => {
    expect(await createShop(owner, { appPassword: "another" })).toBe(0);
    await expect(connect(SHOP_APP, "it's a 'secret'")).rejects.toMatchObject({ code: "28P01" });
    const again = await connect(SHOP_APP, "another");
    const { rows } = await again.query("select count(*)::int as count from customers");
    expect(rows).toEqual([{ count: shopRows()["customers"]?.length }]);
    await again.end();
  });
});

describe("the shop's rows", () => {
  const rows = shopRows();
  const values = (table: string, column: string) =>
    (rows[table] ?? []).map((row) => row[column]).filter((value) => typeof value === "string");

  test("are the same every time", () => {
    expect(JSON.stringify(shopRows())).toBe(JSON.stringify(rows));
  });

  test("have card numbers that pass Luhn", () => {
    const cards = values("customers", "card_number");
    expect(cards.length).toBeGreaterThan(1_000);
    for (const card of cards) {
      expect(card).toMatch(/^\d{15,16}$/);
      const doubled = Array.from(card)
        .toReversed()
        .map((digit, index) => Number(digit) * (index % 2 === 1 ? 2 : 1));
      expect(doubled.reduce((sum, value) => sum + (value > 9 ? value - 9 : value), 0) % 10).toBe(0);
    }
  });

  test("have account numbers that pass ISO 7064", () => {
    const ibans = values("customers", "iban");
    expect(ibans.length).toBeGreaterThan(1_000);
    for (const iban of ibans) {
      const moved = iban.slice(4) + iban.slice(0, 4);
      const numeric = Array.from(moved, (character) => Number.parseInt(character, 36)).join("");
      expect([iban, BigInt(numeric) % 97n]).toEqual([iban, 1n]);
    }
  });

  test("have addresses that can reach nobody", () => {
    for (const email of [...values("customers", "email"), ...values("employees", "email")]) {
      expect(email).toMatch(/^[a-z.]+\d+@([a-z]+\.)?example\.(com|org)$/);
    }
    for (const phone of values("customers", "phone")) {
      expect(phone).toMatch(/^\+(447700900\d{3}|441632960\d{3}|493023125\d{3}|120255501\d{2})$/);
    }
  });
});
