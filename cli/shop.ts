import type pg from "pg";
import { shopRows } from "./shop-data.ts";
import { SHOP_CONSTRAINTS, SHOP_GRANTS, SHOP_TABLES } from "./shop-schema.ts";

/** Rows in one INSERT: a few megabytes of JSON. */
const BATCH_ROWS = 10_000;

/** Owns the shop's schema and the database; cannot log in unless given a password. */
export const SHOP_OWNER = "shop_owner";
/** The least-privileged role that the gateway logs in as. */
export const SHOP_APP = "shop_app";

export interface ShopPasswords {
  readonly appPassword: string;
  /** Lets shop_owner log in, for those who need its rights (a restore, say). */
  readonly ownerPassword?: string;
}

/**
 * Makes the demo's shop in the database that the client is connected to: some 70,000 rows, always the same ones. A shop that is there
 * already is left as it is; only the passwords are set.
 * @param client connected as a superuser
 * @returns the number of rows made
 */
export async function createShop(client: pg.ClientBase, passwords: ShopPasswords): Promise<number> {
  await client.query("begin");
  try {
    await createRoles(client, passwords);
    const there = await client.query("select to_regclass('public.customers') is not null as yes");
    const rows = there.rows[0].yes === true ? 0 : await createSchema(client);
    await client.query("commit");
    if (rows > 0) await client.query("analyze");
    return rows;
  } catch (thrown) {
    await client.query("rollback").catch(() => {});
    throw thrown;
  }
}

async function createRoles(client: pg.ClientBase, { appPassword, ownerPassword }: ShopPasswords): Promise<void> {
  for (const role of [SHOP_OWNER, SHOP_APP]) {
    const there = await client.query("select from pg_roles where rolname = $1", [role]);
    if (there.rowCount === 0) await client.query(`create role ${role} nologin`);
  }
  const logIn = async (role: string, password: string) =>
    client.query(`alter role ${role} login password ${client.escapeLiteral(password)}`);
  await logIn(SHOP_APP, appPassword);
  if (ownerPassword !== undefined) await logIn(SHOP_OWNER, ownerPassword);
}

async function createSchema(client: pg.ClientBase): Promise<number> {
  const named = await client.query("select current_database() as database");
  await client.query(`alter database ${client.escapeIdentifier(named.rows[0].database)} owner to ${SHOP_OWNER}`);
  await client.query(`set local role ${SHOP_OWNER}; ${SHOP_TABLES}`);
  let total = 0;
  for (const [table, rows] of Object.entries(shopRows())) {
    for (let from = 0; from < rows.length; from += BATCH_ROWS) {
      await insert(client, table, rows.slice(from, from + BATCH_ROWS));
    }
    total += rows.length;
  }
  await client.query(SHOP_CONSTRAINTS);
  await client.query(`${SHOP_GRANTS} reset role;`);
  return total;
}

async function insert(client: pg.ClientBase, table: string, rows: readonly object[]): Promise<void> {
  const first = rows[0];
  if (first === undefined) return;
  const columns = Object.keys(first).join(", ");
  await client.query(
    `insert into ${table} (${columns}) select ${columns} from json_populate_recordset(null::${table}, $1)`,
    [JSON.stringify(rows)],
  );
  if ("id" in first) {
    await client.query(`select setval(pg_get_serial_sequence('${table}', 'id'), (select max(id) from ${table}))`);
  }
}
