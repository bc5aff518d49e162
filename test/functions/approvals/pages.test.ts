import { beforeEach, describe, expect, test } from "vitest";
import type { PrincipalId } from "../../../core/identity/principal.ts";
import type { Approval } from "../../../core/ports/approval-store.ts";
import { ALICE, BOB, ERIN, LIFETIME_MS, NOW, person } from "../../setup/approvals.ts";
import { BASE, installation } from "./installation.ts";

let site: ReturnType<typeof installation>;
let approval: Approval;
let at: string;
beforeEach(async () => {
  site = installation();
  approval = await site.put();
  at = `/approvals/${approval.id}`;
  for (const who of [ALICE, BOB, ERIN]) await site.signIn(who);
});
const page = async (who: typeof BOB, path: string): Promise<string> => (await site.browse(who, path)).text();
const statusNow = async () => (await site.approvals.get(approval.id))?.status;
const XSS = `<script>alert("1")</script>'&`;

describe("the page of an approval", () => {
  test("says what is asked, by whom, where, why and until when, and has a form for those who may decide", async () => {
    const text = await page(BOB, at);
    for (const said of [
      "alice@shop.example",
      "DELETE FROM orders",
      "shop, environment production",
      "192.0.2.7:50123",
      "DELETE without WHERE needs a consent",
      "1 of approvers",
      new Date(NOW + LIFETIME_MS).toISOString(),
      "a".repeat(64),
    ])
      expect(text).toContain(said);
    expect(text).toContain(`action="${at}/decision"`);
    for (const who of [ALICE, person("olga", "auditors")]) expect(await page(who, at)).not.toContain("/decision");
    expect(await page(ALICE, at)).toContain(`action="${at}/cancel"`);
  });

  test("says who acts in the requester's place", async () => {
    const { id } = await site.put({ requester: { ...ALICE, actors: ["https://idp.example|agent<7>" as PrincipalId] } });
    for (const path of [`/approvals/${id}`, "/approvals"])
      expect(await page(BOB, path)).toContain("https://idp.example|agent&lt;7&gt;");
    expect((await site.json(BOB, `/api/approvals/${id}`))["actors"]).toEqual(["https://idp.example|agent<7>"]);
  });

  test("shows a long statement to its end", async () => {
    const { id } = await site.put({ shown: `${"x".repeat(200_000)}THE END` });
    expect(await page(BOB, `/approvals/${id}`)).toContain("THE END");
  });

  test("escapes whatever others have written, lets no character act, and shows no secret", async () => {
    const nasty = `${XSS}ALTER ROLE app\u202e\u0000 PASSWORD 'c4nary'`;
    const requester = { ...ALICE, name: nasty };
    const over = {
      shown: nasty,
      reason: nasty,
      connection: nasty,
      environment: nasty,
      client: nasty,
      policies: [nasty],
    };
    const { id } = await site.put({ ...over, requester });
    await site.ask(BOB, `/api/approvals/${id}/decision`, { decision: "deny", words: XSS });
    for (const path of [`/approvals/${id}`, "/approvals"]) {
      const text = await page(BOB, path);
      expect(text).toContain("&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;");
      expect(text).not.toMatch(/<script|(?!\n)[\p{Cc}\p{Cf}]/iu);
    }
    const statement = /<pre>([^]*?)<\/pre>/.exec(await page(BOB, `/approvals/${id}`))?.[1];
    expect(statement).toContain("PASSWORD &#39;[redacted: 6 characters]");
  });

  test("needs neither a script nor anything from elsewhere, is kept by no cache and stands in no frame", async () => {
    for (const path of ["/approvals", at, "/outbox"]) {
      const response = await site.browse(BOB, path);
      const text = await response.text();
      expect(text).not.toMatch(/<script|\son\w+=|style=|javascript:/i);
      for (const [, url] of text.matchAll(/(?:src|href|action)="([^"]*)"/g)) expect(url).toMatch(/^\/(?!\/)/);
      expect(response.headers.get("content-security-policy")).toMatch(/default-src 'none'.*frame-ancestors 'none'/);
      expect(response.headers.get("cache-control")).toBe("no-store");
    }
  });

  test("is not there for others, nor is its list", async () => {
    const eve = person("eve", "engineers");
    expect((await site.browse(eve, at)).status).toBe(404);
    expect((await site.browse(eve, `${at}/decision`, { decision: "approve" })).status).toBe(404);
    expect(await page(eve, "/approvals")).not.toContain(approval.id);
  });
});

describe("its forms", () => {
  test("decide, and lead back to what was decided", async () => {
    const response = await site.browse(BOB, `${at}/decision`, { decision: "approve", words: "for the migration" });
    expect([response.status, response.headers.get("location")]).toEqual([303, at]);
    expect(await page(ALICE, at)).toContain("for the migration");
    expect((await site.browse(ERIN, `${at}/decision`, { decision: "deny" })).status).toBe(409);
    expect((await site.browse(ERIN, `${at}/revoke`, {})).status).toBe(303);
    expect(await statusNow()).toBe("revoked");
  });

  test.each([
    { origin: "https://evil.example" },
    { origin: "null" },
    { origin: BASE, "sec-fetch-site": "cross-site" },
    { origin: `${BASE}.evil.example` },
  ])("are believed from our own pages only: %j", async (headers) => {
    for (const path of ["decision", "cancel", "revoke"])
      expect((await site.browse(BOB, `${at}/${path}`, { decision: "approve" }, headers)).status).toBe(403);
    expect(await statusNow()).toBe("requested");
  });
});

describe("the link of a mail", () => {
  test("has no effect when it is opened, however often and by whom, signed in or not", async () => {
    const link = `/approvals/by-mail?token=${await site.mailToken(approval, "bob@shop.example")}`;
    for (const who of [BOB, BOB, ERIN, ALICE]) await site.browse(who, link);
    const stranger = await site.app.request(link, { headers: { accept: "text/html" } });
    expect(stranger.status).toBe(303);
    expect(stranger.headers.get("location")).toBe(`/auth/login?return_to=${encodeURIComponent(link)}`);
    expect(await site.approvals.get(approval.id)).toEqual(approval);
  });

  test("leads the one it was sent to, and only them, to a form that goes with it", async () => {
    const token = await site.mailToken(approval, "bob@shop.example");
    const link = `/approvals/by-mail?token=${token}`;
    expect(await page(BOB, link)).toContain(`name="token" value="${token}"`);
    const refused = await site.browse(ERIN, link);
    expect(refused.status).toBe(403);
    expect(await refused.text()).not.toContain("DELETE FROM orders");
    const form = { decision: "approve", words: "", token };
    expect((await site.browse(ERIN, `${at}/decision`, form)).status).toBe(403);
    expect((await site.browse(BOB, `${at}/decision`, form)).status).toBe(303);
    expect(await statusNow()).toBe("granted");
  });

  test("that is forged, expired or none leads nowhere", async () => {
    const token = await site.mailToken(approval, "bob@shop.example");
    for (const bad of ["x", "", `${token}x`])
      expect((await site.browse(BOB, `/approvals/by-mail?token=${bad}`)).status).toBe(403);
    expect((await site.browse(BOB, "/approvals/by-mail")).status).toBe(400);
    site.time.now = NOW + LIFETIME_MS;
    const late = await site.browse(BOB, `/approvals/by-mail?token=${token}`);
    expect(late.status).toBe(403);
    expect(await late.text()).toContain("has expired");
  });
});

describe("the outbox", () => {
  test("shows each person the mails to their own address, and our own links in them", async () => {
    const text = `Decide here:\n${BASE}/approvals/by-mail?token=abc\nhttps://evil.example/\n${XSS}`;
    for (const email of ["BOB@shop.example", "erin@shop.example"])
      await site.outbox.send({ to: { name: XSS, email }, subject: `to ${email}${XSS}`, text, html: XSS });
    const seen = await page(BOB, "/outbox");
    expect(seen).toContain("to BOB@shop.example");
    expect(seen).not.toContain("erin@");
    expect(seen).toContain('href="/approvals/by-mail?token=abc"');
    expect(seen).not.toMatch(/<script|href="https/);
    expect(await page(person("olga", "auditors"), "/outbox")).toContain("There are none");
  });

  test("is not for whoever has chosen another's address as a name", async () => {
    await site.outbox.send({ to: { name: "", email: "bob@shop.example" }, subject: "s", text: "t", html: "h" });
    const eve = { ...person("eve"), name: "bob@shop.example" };
    await site.people.signedIn({ ...eve, email: undefined, seenAt: NOW, freshUntil: NOW });
    expect(await page(eve, "/outbox")).toContain("There are none");
  });
});
