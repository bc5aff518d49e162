import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { postgresServers } from "../setup/postgres.ts";
import { newestLibpq, psql, run, succeed } from "../setup/programs.ts";
import { startShop, type ShopJourney } from "../setup/shop-journey.ts";
import { terminal } from "../setup/terminal.ts";

let scratch: string;
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), "sallyport-test-psql-"));
});
afterAll(() => rm(scratch, { recursive: true }));

describe.each(postgresServers())("psql through the gateway to PostgreSQL $version", (which) => {
  let shop: ShopJourney;
  beforeAll(async () => {
    shop = await startShop(which, { filled: true });
  });
  afterAll(() => shop.stop());

  test("describes the shop as it does past the gateway, and the record holds every statement that the server logged", async () => {
    const script = [
      "\\d",
      "\\dt+",
      "\\d orders",
      "\\d+ customers",
      "\\di",
      "\\du",
      "\\l",
      "\\dn+",
      "\\df",
      "\\dT",
      "\\sf now",
    ];
    const asked = script.flatMap((command) => ["-c", command]);
    const past = await succeed("psql", ["-X", ...asked], { env: shop.past() });
    await shop.mark();
    expect(await succeed("psql", ["-X", ...asked], { env: await shop.through() })).toBe(past);
    const logged = await shop.logged();
    expect(logged.length).toBeGreaterThan(20);
    expect(await shop.recorded()).toEqual(logged);
  });

  test("a script's statements, errors and notices are what they are past the gateway, and each is in the record", async () => {
    const script = `
      begin; savepoint a; select 1/0; rollback to a; select count(*) from orders; commit;
      do $$ begin raise notice 'look: %', now()::text is not null; raise warning 'beware'; end $$;
      insert into customers (name, email) values ('Ä "quoted" name', 'x') returning name;
      delete from customers where email = 'x';
      prepare p (int) as select $1 + 1; execute p (41); deallocate p;
      select 'no such table' from nowhere;
      \\set x 7
      select :x, generate_series(1, 3) \\gdesc
      select format('select %s', n) from generate_series(1, 3) n \\gexec
      select 'last' \\gx
    `;
    const file = join(scratch, "script.sql");
    await writeFile(file, script);
    const past = await run("psql", ["-Xf", file], { env: shop.past() });
    await shop.mark();
    const through = await run("psql", ["-Xf", file], { env: await shop.through() });
    expect([through.status, through.stdout.toString(), through.stderr]).toEqual([
      past.status,
      past.stdout.toString(),
      past.stderr,
    ]);
    expect(past.stderr).toContain("division by zero");
    const { statements, events } = await shop.gateway.lastClosed();
    const failed = statements.filter(({ outcome }) => outcome === "failed").map(({ sqlstate }) => sqlstate);
    expect(failed).toEqual(["22012", "42P01"]);
    expect(events.filter((event) => event.type === "notice")).toMatchObject([
      { severity: "NOTICE", message: "look: t" },
      { severity: "WARNING", message: "beware" },
    ]);
    const recorded = await shop.recorded();
    for (const text of await shop.logged()) expect(recorded).toContain(text);
  });

  test("\\copy out and in are byte-equal, and the record says how many rows went which way", async () => {
    const [past, through] = [join(scratch, "past.csv"), join(scratch, "through.csv")];
    const columns = "order_id, line, product_id, quantity, unit_price";
    const copy = (file: string): string =>
      `\\copy (select ${columns} from order_items order by 1, 2) to '${file}' csv header`;
    await psql(shop.past(), "-c", copy(past));
    await psql(await shop.through(), "-c", copy(through));
    const bytes = await readFile(through);
    expect(bytes.equals(await readFile(past))).toBe(true);
    const rows = bytes.toString().split("\n").length - 2;
    expect((await shop.gateway.lastClosed()).statements).toMatchObject([
      { outcome: "completed", tag: `COPY ${rows}`, rows, copied: { direction: "out", bytes: bytes.length } },
    ]);
    const env = await shop.through();
    await psql(
      env,
      "-c",
      "create table copied (like order_items)",
      "-c",
      `\\copy copied (${columns}) from '${through}' csv header`,
    );
    expect((await shop.gateway.lastClosed()).statements.at(-1)).toMatchObject({
      tag: `COPY ${rows}`,
      copied: { direction: "in", bytes: bytes.length },
    });
    await psql(env, "-c", copy(through).replace("from order_items", "from copied"));
    expect((await readFile(through)).equals(bytes)).toBe(true);
  });

  test("Ctrl-C cancels a long query and the session goes on; \\watch repeats until Ctrl-C", async () => {
    const clients = [{}, newestLibpq() ?? {}];
    for (const libpq of clients) {
      const at = terminal("psql -XqAt -v PROMPT1='ready>' -v PROMPT2=", { ...(await shop.through()), ...libpq });
      try {
        await at.shows(/ready>/);
        at.type("select pg_backend_pid(), pg_sleep(600);\n");
        await expect
          .poll(
            async () =>
              (
                await shop.admin.query(
                  "select from pg_stat_activity where query like '%pg_sleep(600)%' and state = 'active' and pid <> pg_backend_pid()",
                )
              ).rowCount,
          )
          .toBe(1);
        at.type("\x03");
        await at.shows(/ERROR: {2}canceling statement due to user request\nready>/);
        at.type("select 'watched ' || 6 * 7 \\watch 0.05\n");
        for (let times = 0; times < 3; times++) await at.shows(/watched 42/);
        at.type("\x03");
        await at.shows(/ready>/);
        at.type("select 'still ' || 'here';\n");
        await at.shows(/still here\nready>/);
        at.type("\\q\n");
        await at.ended();
      } finally {
        at.kill();
      }
      const { row, events, statements } = await shop.gateway.lastClosed();
      expect(row.closing.reason).toBe("client-closed");
      expect(events).toContainEqual({ type: "cancel-requested", from: expect.stringMatching(/^127\.0\.0\.1:\d+$/) });
      expect(statements[0]).toMatchObject({ outcome: "failed", sqlstate: "57014" });
      expect(statements.filter(({ text }) => text.includes("watched")).length).toBeGreaterThanOrEqual(3);
    }
  });

  test("\\password changes the password, and neither it nor its verifier is kept anywhere", async () => {
    await shop.admin.query(
      "create role carol; grant carol to shop_owner with admin option; alter role shop_owner createrole",
    );
    const canary = `n3w-c4n4ry-${which.version}`;
    const at = terminal("psql -XqAt -v PROMPT1='ready>'", await shop.through());
    try {
      await at.shows(/ready>/);
      at.type("\\password carol\n");
      await at.shows(/new password[^:]*:/);
      at.type(`${canary}\n`);
      await at.shows(/again:/);
      at.type(`${canary}\n`);
      await at.shows(/ready>/);
      at.type(`alter role carol password '${canary}-2';\n`);
      await at.shows(/ready>/);
      at.type(`alter role nobody_of_this_name password '${canary}-3' oops;\n`);
      await at.shows(/ERROR[^]*ready>/);
      at.type("select 'nothing else is hidden';\n");
      await at.shows(/hidden\nready>/);
      at.type("\\q\n");
      await at.ended();
    } finally {
      at.kill();
    }
    const { rows } = await shop.admin.query("select rolpassword from pg_authid where rolname = 'carol'");
    const verifier: unknown = rows[0].rolpassword;
    expect(verifier).toMatch(/^SCRAM-SHA-256\$/);
    const { statements } = await shop.gateway.lastClosed();
    expect(statements.filter(({ redacted }) => redacted)).toHaveLength(3);
    expect(statements.at(-1)?.text).toBe("select 'nothing else is hidden';");
    const kept = await shop.gateway.everythingKept();
    expect(kept.includes("nothing else is hidden")).toBe(true);
    expect(kept.includes("c4n4ry")).toBe(false);
    expect(kept.includes("SCRAM-SHA-256$")).toBe(false);
    expect(kept.includes(String(verifier).slice(-40))).toBe(false);
  });
});
