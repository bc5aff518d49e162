import { serialize } from "pg-protocol/dist/serializer.js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Policies } from "../../core/policy/verdict.ts";
import { type Approver, approver } from "../setup/approver.ts";
import { policiesOf } from "../setup/policies.ts";
import { postgresServers } from "../setup/postgres.ts";
import { run } from "../setup/programs.ts";
import { type ShopJourney, startShop } from "../setup/shop-journey.ts";
import { terminal } from "../setup/terminal.ts";
import { connectWire, startupMessage, type WireClient } from "../setup/wire-client.ts";

const HELD = `
  @id("second-person") @reason("connecting takes a second person") @approvers("dba")
  forbid (principal, action == Action::"connect", resource) unless { context.approvals >= 1 };
`;
const BLOCKED = `@id("closed") @reason("closed for the season") forbid (principal, action == Action::"connect", resource);`;

describe("connecting under policies", () => {
  let shop: ShopJourney;
  let bob: Approver;
  let policies: Policies = policiesOf(HELD);
  beforeAll(async () => {
    const [server] = postgresServers();
    if (server === undefined) throw new Error("there is no PostgreSQL to test with");
    shop = await startShop(server, { policies: () => policies, plaintextOnLoopback: true });
    bob = approver(shop.gateway.state.approvalStore);
  });
  afterAll(() => shop.stop());
  /** Shows a pass in plain text, and waits for what it meets. */
  const knock = async (): Promise<{ client: WireClient; pass: string }> => {
    const pass = await shop.gateway.pass();
    const client = await connectWire({ port: shop.gateway.port });
    client.send(startupMessage({ user: "whoever", database: "shop" }));
    await client.until("R");
    client.send(serialize.password(pass));
    await client.until("N");
    return { client, pass };
  };
  const psql = async (sql: string) => run("psql", ["-X", "-A", "-t", "-c", sql], { env: await shop.through() });

  test("waits for consent with a notice, opens when it is given, and is recorded with who gave it", async () => {
    const waiting = psql("select 'in'");
    expect(await bob.asked()).toMatchObject({ kind: "connect", requester: { name: "Ana" }, connection: "shop" });
    await bob.decide(true, "welcome");
    const { stdout, stderr, status } = await waiting;
    expect([stdout.toString(), status]).toEqual(["in\n", 0]);
    expect(stderr).toContain("NOTICE:  sallyport: held for consent: connecting takes a second person");
    const { events } = await shop.gateway.lastClosed();
    expect(events.slice(0, 3)).toMatchObject([
      { type: "session-opened" },
      { type: "verdict", about: "connect", kind: "hold", policies: ["second-person"] },
      { type: "approval", outcome: "granted", by: [{ name: "Bob", words: "welcome" }] },
    ]);
  });

  test("is refused with the approver's words where it is denied", async () => {
    const waiting = psql("select 'in'");
    await bob.decide(false, "not tonight");
    const { stdout, stderr, status } = await waiting;
    expect([stdout.toString(), status]).toEqual(["", 2]);
    expect(stderr).toContain("denied by Bob: not tonight");
    expect(stderr).toContain("Policy: second-person.");
  });

  test("is let in on the next try where consent came after the client had gone, once", async () => {
    const screen = terminal("psql -X", await shop.through());
    await screen.shows(/held for consent/);
    const request = await bob.asked();
    screen.kill();
    await bob.decide(true);
    expect((await psql("select 'in'")).stdout.toString()).toBe("in\n");
    expect(await bob.became(request)).toBe("used");
    const again = psql("select 'in'");
    expect((await bob.asked()).id).not.toBe(request.id);
    await bob.decide(false);
    expect((await again).status).toBe(2);
  });

  test("does not let in a pass that was revoked while its log-in waited", async () => {
    const { client, pass } = await knock();
    await shop.gateway.revoke(pass);
    await bob.decide(true);
    const rest = (await client.rest()).toString("latin1");
    expect([rest.includes("28P01"), rest.includes("Z\0\0\0\x05")]).toEqual([true, false]);
  });

  test("asks once for a client that tries and tries, and a consent given to none that has gone lets the next one in", async () => {
    for (let time = 0; time < 3; time++) (await knock()).client.close();
    const request = await bob.asked();
    await bob.decide(true);
    expect((await psql("select 'in'")).stdout.toString()).toBe("in\n");
    expect(await bob.became(request)).toBe("used");
  });

  test("is refused at once, with the reason, where no consent could open it", async () => {
    policies = policiesOf(BLOCKED);
    const { stderr, status } = await psql("select 'in'");
    expect(status).toBe(2);
    expect(stderr).toContain("closed for the season");
    expect(stderr).toContain("Policy: closed.");
  });
});
