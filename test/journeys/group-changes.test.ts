import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openDatabase } from "../../local/database.ts";
import { DEMO_PEOPLE } from "../../local/demo-people.ts";
import type { Person } from "../../local/oidc-provider.ts";
import { type Product, startProduct, type Terminal } from "../setup/product.ts";

/** Whom the identity provider knows, until it is told otherwise. */
const people: Person[] = [...DEMO_PEOPLE];
let product: Product;
let alice: Terminal;

beforeAll(async () => {
  product = await startProduct(people);
  alice = await product.terminal();
  await alice.signIn("alice");
});
afterAll(() => product?.close());

/** At the provider alice is in these groups from now on; undefined: she has left. */
function put(groups: readonly string[] | undefined): void {
  const at = people.findIndex(({ sub }) => sub === "alice");
  const [before] = DEMO_PEOPLE.filter(({ sub }) => sub === "alice");
  if (before !== undefined) people.splice(at, 1, { ...before, sub: groups ? "alice" : "gone", groups: groups ?? [] });
  aMinutePasses();
}

/** What the provider told last is not taken for news any more. */
function aMinutePasses(): void {
  const database = openDatabase(join(product.directory, "state", "sallyport.sqlite"));
  database.exec("UPDATE people SET fresh_until = 0");
  database.close();
}

async function psql(connection: string): Promise<readonly [status: number | null, said: string]> {
  const { status, stdout, stderr } = await alice.sallyport(["psql", connection, "--", "-Atc", "select 'in'"]);
  return [status, stdout.toString().trim() || stderr.trim()];
}

test("a group that is lost or gained at the provider counts at the next `sallyport psql`, without a sign-in, and whoever has left is out", async () => {
  expect(await psql("shop")).toEqual([0, "in"]);
  expect(await psql("payroll")).toEqual([4, expect.stringContaining('there is no connection "payroll" for you')]);
  put(["accountants"]);
  expect(await psql("payroll")).toEqual([0, "in"]);
  expect(await psql("shop")).toEqual([4, expect.stringContaining('there is no connection "shop" for you')]);
  put(["engineers"]);
  expect(await psql("shop")).toEqual([0, "in"]);
  put(undefined);
  const [status, said] = await psql("shop");
  expect(status).toBe(3);
  expect(said).toContain("your identity provider has to tell again which groups you are in");
  expect(said).toContain("sallyport login");
});
