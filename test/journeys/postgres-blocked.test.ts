import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { postgresServers } from "../setup/postgres.ts";
import { BLOCKING, policiesOf } from "../setup/policies.ts";
import { run } from "../setup/programs.ts";
import { startShop, type ShopJourney } from "../setup/shop-journey.ts";

describe.each(postgresServers())("blocked statements at PostgreSQL $version", (which) => {
  let shop: ShopJourney;
  const policies = policiesOf(BLOCKING);
  beforeAll(async () => {
    shop = await startShop(which, { policies: () => policies });
  });
  afterAll(() => shop.stop());
  beforeEach(async () => {
    await shop.admin.query("drop table if exists kept; create table kept (id int); insert into kept values (1), (2)");
    await shop.admin.query("alter table kept owner to shop_owner");
    await shop.mark();
  });

  /** What psql shows of a script, errors in their place. */
  const script = async (text: string): Promise<string[]> => {
    const env = await shop.through();
    const { stdout } = await run("sh", ["-c", "psql -XqAt 2>&1"], { env, input: text });
    return stdout.toString().trimEnd().split("\n");
  };

  test("a client is told the reason, the policy and what it can do, as SQLSTATE 42501, and goes on", async () => {
    const shown = await script("\\set VERBOSITY verbose\ndrop table kept;\nselect count(*) from kept;\n");
    expect(shown).toEqual([
      "ERROR:  42501: sallyport: tables are not dropped here",
      "DETAIL:  Policy: no-drop.",
      "HINT:  No consent can be asked for it here: who keeps the policies can say how else it is done.",
      "2",
    ]);
    expect((await shop.logged()).filter((text) => text.includes("drop"))).toEqual([]);
    const { statements, events } = await shop.gateway.lastClosed();
    expect(statements.map(({ text, outcome, sqlstate }) => [text, outcome, sqlstate])).toEqual([
      ["drop table kept;", "refused", "42501"],
      ["select count(*) from kept;", "completed", undefined],
    ]);
    expect(events.find(({ type }) => type === "verdict")).toMatchObject({ kind: "block", policies: ["no-drop"] });
  });
});
