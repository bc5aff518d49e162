import { spawnSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { postgresServers } from "../setup/postgres.ts";
import { psql, succeed } from "../setup/programs.ts";
import { startShop, type ShopJourney } from "../setup/shop-journey.ts";

let scratch: string;
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), "sallyport-test-dump-"));
});
afterAll(() => rm(scratch, { recursive: true }));

/** pg_dump refuses servers that are newer than itself. */
function canDump(version: number): boolean {
  const said = spawnSync("pg_dump", ["--version"], { encoding: "utf8" }).stdout;
  return version <= Number(/(\d+)/.exec(said)?.[1] ?? 0);
}

/** A plain dump, but for the random key of \restrict. */
async function dump(env: NodeJS.ProcessEnv, ...args: string[]): Promise<string> {
  const text = await succeed("pg_dump", args, { env });
  return text.replace(/^\\(un)?restrict .*$/gm, "\\$1restrict");
}

describe.each(postgresServers().filter(({ version }) => canDump(version)))(
  "pg_dump and pg_restore through the gateway, PostgreSQL $version",
  (which) => {
    let shop: ShopJourney;
    beforeAll(async () => {
      shop = await startShop(which, { filled: true });
      for (const name of ["restored", "restored_in_parallel"])
        await shop.admin.query(`create database ${name} owner shop_owner`);
    });
    afterAll(() => shop.stop());

    test("a dump is byte-equal to one past the gateway, and the record holds every statement that the server logged", async () => {
      const past = await dump(shop.past());
      await shop.mark();
      const through = await dump(await shop.through());
      expect(through === past).toBe(true);
      expect(past.length).toBeGreaterThan(3_000_000);
      const logged = await shop.logged();
      expect(logged.filter((text) => text.startsWith("COPY")).length).toBeGreaterThan(5);
      expect(await shop.recorded()).toEqual(logged);
    });

    test("so is one in INSERTs, which fetches by cursors", async () => {
      const args = ["--inserts", "--rows-per-insert=100", "--table=order*"];
      const past = await dump(shop.past(), ...args);
      expect((await dump(await shop.through(), ...args)) === past).toBe(true);
    });

    test("a dump that is restored through the gateway into another database gives the same dump again", async () => {
      const file = join(scratch, "shop.dump");
      await succeed("pg_dump", ["-Fc", "-f", file], { env: await shop.through() });
      const original = await dump(shop.past());
      await shop.mark();
      await succeed("pg_restore", ["-d", "shop/restored", "--exit-on-error", file], { env: await shop.through() });
      expect((await dump(shop.past("restored"))) === original).toBe(true);
      const parallel = ["-d", "shop/restored_in_parallel", "-j", "3", "--exit-on-error", file];
      await succeed("pg_restore", parallel, { env: await shop.through() });
      expect((await dump(shop.past("restored_in_parallel"))) === original).toBe(true);
    });

    test("a directory dump by several sessions at once shares its snapshot through the gateway", async () => {
      const folder = join(scratch, "parallel");
      await succeed("pg_dump", ["-Fd", "-j", "3", "-f", folder], { env: await shop.through() });
      const listed = await succeed("pg_restore", ["--list", folder]);
      expect(listed.match(/TABLE DATA/g)?.length).toBeGreaterThan(5);
    });
  },
);

describe.each(postgresServers())("pgbench through the gateway to PostgreSQL $version", (which) => {
  let shop: ShopJourney;
  beforeAll(async () => {
    shop = await startShop(which);
    await shop.admin.query("create database bench owner shop_owner");
  });
  afterAll(() => shop.stop());

  test("fills its tables, and runs in every mode; the record holds every statement that the server logged", async () => {
    const env = await shop.through("shop/bench");
    await shop.mark();
    await succeed("pgbench", ["-i", "-s", "1", "--foreign-keys", "shop/bench"], { env });
    expect(await shop.recorded()).toEqual(await shop.logged());
    for (const mode of ["simple", "extended", "prepared"]) {
      await shop.mark();
      const report = await succeed("pgbench", ["-n", "-M", mode, "-c", "4", "-j", "2", "-t", "50", "shop/bench"], {
        env,
      });
      expect(report).toContain("number of transactions actually processed: 200/200");
      const logged = await shop.logged();
      expect(logged.length, mode).toBeGreaterThanOrEqual(200 * 7);
      expect(await shop.recorded(), mode).toEqual(logged);
    }
    const balances = "select (select sum(abalance) from pgbench_accounts) = (select sum(delta) from pgbench_history)";
    expect(await psql(shop.past("bench"), "-c", balances)).toBe("t\n");
  });

  test("its pipelines pass, too", async () => {
    const script = join(scratch, `pipeline-${which.version}.sql`);
    const body = Array.from({ length: 20 }, (_, n) => `select ${n} + :client_id;`).join("\n");
    await writeFile(script, `\\startpipeline\n${body}\n\\endpipeline\n`);
    const env = await shop.through("shop/bench");
    await shop.mark();
    for (const mode of ["extended", "prepared"])
      await succeed("pgbench", ["-n", "-M", mode, "-c", "3", "-t", "20", "-f", script, "shop/bench"], { env });
    const logged = await shop.logged();
    expect(logged.length).toBeGreaterThanOrEqual(2 * 3 * 20 * 20);
    expect(await shop.recorded()).toEqual(logged);
  });
});
