import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { redactPasses } from "../../core/identity/pass.ts";
import { startTestGateway, type TestGateway } from "../setup/gateway.ts";
import { postgresServers } from "../setup/postgres.ts";
import { run, throughGateway } from "../setup/programs.ts";
import { startShop, type ShopJourney } from "../setup/shop-journey.ts";

describe.each(postgresServers())("passes, before PostgreSQL $version", (which) => {
  let shop: ShopJourney;
  let closed: TestGateway;
  beforeAll(async () => {
    shop = await startShop(which);
    const { host, port } = shop.server;
    const target = { host, port, database: "shop", user: "shop_owner", password: "owner-secret" };
    closed = await startTestGateway({ target, access: ["nobody"] });
  });
  afterAll(async () => {
    await closed.close();
    await shop.stop();
  });

  /** What psql says who shows this pass, and the gateway's log line about it. */
  async function attempt(pass: string, settings: Record<string, string> = {}, gateway = shop.gateway) {
    const before = gateway.logs.length;
    const { status, stderr } = await run("psql", ["-XAtc", "select 1"], {
      env: { ...throughGateway(gateway, pass), ...settings },
    });
    expect(status, stderr).toBe(2);
    const line = gateway.logs.slice(before).find((text) => text.includes("refused")) ?? "{}";
    return { said: stderr, logged: JSON.parse(line) as { client?: string; code?: string } };
  }

  const UNKNOWN = `sp_${"0".repeat(47)}`;

  test.each(["x", UNKNOWN, "sp_", "p".repeat(1_000), "pässwörd", "' or 1=1 --"])(
    "%j is no pass: refused with a hint, logged with its source, and no session begins",
    async (password) => {
      const sessions = (await shop.gateway.sessions()).length;
      const { said, logged } = await attempt(password);
      expect(said).toMatch(/FATAL: {2}sallyport: this is not a pass of this gateway\nHINT: {2}get a pass/);
      expect(logged).toMatchObject({ code: "pass-invalid", client: expect.stringMatching(/^127\.0\.0\.1:\d+$/) });
      expect(await shop.gateway.sessions()).toHaveLength(sessions);
    },
  );

  test("an expired pass, a revoked one, and one for another connection are each told apart", async () => {
    const expired = await attempt(await shop.gateway.pass({ lifetime: -1 }));
    expect([expired.said, expired.logged.code]).toEqual([expect.stringContaining("has expired"), "pass-expired"]);
    const pass = await shop.gateway.pass();
    await shop.gateway.revoke(pass);
    const revoked = await attempt(pass);
    expect([revoked.said, revoked.logged.code]).toEqual([expect.stringContaining("was revoked"), "pass-revoked"]);
    const other = await attempt(await shop.gateway.pass({ connection: "other" }));
    expect([other.said, other.logged.code]).toEqual([
      expect.stringContaining("for another connection"),
      "pass-wrong-connection",
    ]);
    const own = await shop.gateway.pass({ connection: "shop" });
    expect((await run("psql", ["-c", "select 1"], { env: throughGateway(shop.gateway, own) })).status).toBe(0);
  });

  test("a good pass opens nothing that its owner may not open", async () => {
    const outsider = await attempt(await closed.pass(), {}, closed);
    expect([outsider.said, outsider.logged.code]).toEqual([
      expect.stringContaining("may not connect"),
      "access-denied",
    ]);
    const unknown = await attempt(await shop.gateway.pass(), { PGDATABASE: "no-such" });
    expect([unknown.said, unknown.logged.code]).toEqual([
      expect.stringContaining("no connection"),
      "connection-unknown",
    ]);
    expect(await closed.sessions()).toEqual([]);
  });

  test("the user's name decides nothing: any name, or the superuser's, is the connection's role at the target", async () => {
    for (const user of ["postgres", "shop_app", "x; drop table y", "Ä"]) {
      const env = { ...(await shop.through()), PGUSER: user };
      expect((await run("psql", ["-XAtc", "select current_user"], { env })).stdout.toString()).toBe("shop_owner\n");
    }
  });

  test("a pass in the wrong place is nowhere in what the gateway keeps or logs", async () => {
    const pass = await shop.gateway.pass();
    const places: Record<string, string>[] = [
      { PGUSER: pass },
      { PGUSER: pass, PGDATABASE: "" },
      { PGDATABASE: pass },
      { PGDATABASE: `shop/${pass}` },
      { PGDATABASE: `${pass}/shop` },
      { PGAPPNAME: pass },
      { PGAPPNAME: `psql of ${pass} now` },
      { PGOPTIONS: `-c my.pass=${pass}` },
      { PGOPTIONS: `-c ${pass}=x` },
      { PGCLIENTENCODING: pass },
    ];
    for (const place of places) {
      const env = { ...throughGateway(shop.gateway, pass), ...place };
      await run("psql", ["-XAtc", "select 'asked'", "-c", `set my.pass = '${pass}'; select 1/0 as "${pass}"`], {
        env,
      });
    }
    const raw = new pg.Client({
      host: shop.gateway.host,
      port: shop.gateway.port,
      ssl: { rejectUnauthorized: false },
      user: pass,
      database: "shop",
      password: `${pass} `,
    });
    await expect(raw.connect()).rejects.toThrow("not a pass");
    for (const { id } of await shop.gateway.sessions()) await shop.gateway.closed(id);
    const kept = await shop.gateway.everythingKept();
    expect(kept.includes("select 'asked'")).toBe(true);
    expect(redactPasses(pass)).toBe("sp_[redacted]");
    const at = kept.indexOf(pass.slice(3));
    expect(at < 0 ? "nowhere" : kept.toString("latin1", Math.max(0, at - 200), at + 60)).toBe("nowhere");
  });

  test("revoking a pass ends its live sessions within five seconds, says why, and ends nobody else's", async () => {
    const [pass, anothers] = [await shop.gateway.pass(), await shop.gateway.pass({ name: "Ben" })];
    const client = await shop.client({ password: pass });
    const bystander = await shop.client({ password: anothers });
    await Promise.all([client.connect(), bystander.connect()]);
    const { rows } = await client.query("select pg_backend_pid() as pid");
    const working = client.query("select pg_sleep(600)");
    await shop.gateway.revoke(pass);
    const asked = performance.now();
    await expect(working).rejects.toMatchObject({ code: "28P01", message: expect.stringContaining("revoked") });
    expect(performance.now() - asked).toBeLessThan(5_000);
    expect((await bystander.query("select 1 as one")).rows).toEqual([{ one: 1 }]);
    await bystander.end();
    const mine = (await shop.gateway.sessions()).find(({ principalName }) => principalName === "Ana");
    if (mine === undefined) throw new Error("the session is not in the index");
    expect((await shop.gateway.closed(mine.id)).row.closing.reason).toBe("pass-revoked");
    const gone = async () =>
      (await shop.admin.query("select from pg_stat_activity where pid = $1", [rows[0].pid])).rowCount;
    await expect.poll(gone, { timeout: 10_000 }).toBe(0);
  });
});
