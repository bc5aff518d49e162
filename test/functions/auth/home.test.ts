import { beforeEach, describe, expect, test } from "vitest";
import type { Hono } from "hono";
import { PASS_PATTERN, hashPass, parsePass } from "../../../core/identity/pass.ts";
import type { Principal } from "../../../core/identity/principal.ts";
import { authApp } from "../../../functions/auth/app.ts";
import { browserless } from "../../../cli/browserless-sign-in.ts";
import { DEMO_PASSWORD } from "../../../local/demo-people.ts";
import { ALICE, type DepsInMemory, depsInMemory, principal, signedIn, startInstallation } from "./installation.ts";

const BASE = "https://sallyport.example";
let deps: DepsInMemory;
let app: Hono;

beforeEach(() => {
  deps = depsInMemory({ baseUrl: BASE });
  app = authApp(deps);
});

async function page(who: Principal, path = "/", fields?: Record<string, string>): Promise<Response> {
  const headers = { ...(await signedIn(deps, who, "web")), accept: "text/html", origin: BASE };
  const form = fields === undefined ? {} : { method: "POST", body: new URLSearchParams(fields) };
  return app.request(BASE + path, { headers, ...form });
}

const XSS = `<script>alert("1")</script>'&`;

describe("the home page", () => {
  test("shows one's connections with a line for psql, and none of the others", async () => {
    const text = await (await page(ALICE)).text();
    expect(text).toContain(
      "psql &quot;host=gateway.example port=5432 dbname=shop sslmode=verify-full sslrootcert=sallyport-ca.pem&quot;",
    );
    expect(text).not.toContain("billing");
    expect(await (await page(principal("eve"))).text()).toContain("None of your groups");
  });

  test("escapes whatever others have written: names, groups, labels, descriptions", async () => {
    app = authApp({
      ...deps,
      connections: () => [{ name: XSS, protocol: "postgres", description: XSS, access: [XSS] }],
    });
    const eve: Principal = { ...ALICE, name: XSS, groups: [XSS] };
    const issued = await page(eve, "/passes", { connection: XSS, label: XSS });
    for (const response of [issued, await page(eve)]) {
      expect(response.status).toBe(200);
      const text = await response.text();
      expect(text).toContain("&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;");
      expect(text).not.toMatch(/<script/i);
    }
  });

  test("needs neither a script nor anything from elsewhere", async () => {
    const response = await page(ALICE);
    const text = await response.text();
    expect(text).not.toMatch(/<script|\son\w+=|style=|javascript:/i);
    for (const [, url] of text.matchAll(/(?:src|href|action)="([^"]*)"/g)) expect(url).toMatch(/^\/(?!\/)/);
    const style = await app.request(`${BASE}/assets/sallyport.css`);
    expect(style.headers.get("content-type")).toMatch(/^text\/css/);
    expect(await style.text()).not.toMatch(/url\(|@import/);
  });

  test("is kept by no cache", async () => {
    expect((await page(ALICE)).headers.get("cache-control")).toBe("no-store");
    expect((await page(ALICE, "/passes", {})).headers.get("cache-control")).toBe("no-store");
  });
});

describe("its forms", () => {
  test("give a pass, shown this once", async () => {
    const text = await (await page(ALICE, "/passes", { connection: "", label: "laptop" })).text();
    const shown = parsePass(PASS_PATTERN.exec(text)?.[0] ?? "");
    expect(shown).toBeDefined();
    if (shown === undefined) return;
    expect(await deps.passes.find(hashPass(shown))).toMatchObject({ label: "laptop", connection: undefined });
    expect(await (await page(ALICE)).text()).not.toContain(shown);
  });

  test("revoke a pass, one's own and no other's", async () => {
    await page(ALICE, "/passes", {});
    const [mine] = await deps.passes.listFor(ALICE.id, 1);
    const path = `/passes/${mine?.id}/revoke`;
    expect((await page(principal("eve", "engineers"), path, {})).status).toBe(404);
    const response = await page(ALICE, path, {});
    expect([response.status, response.headers.get("location")]).toEqual([303, "/"]);
    expect(await (await page(ALICE)).text()).not.toContain(path);
  });

  test("work from the log-in to the revocation over HTTP, without JavaScript", async () => {
    const house = await startInstallation();
    const browser = browserless();
    const logIn = await browser.open(house.baseUrl);
    const home = await browser.submit(logIn, { user: "alice", password: DEMO_PASSWORD });
    expect(home.url.pathname).toBe("/");
    const issued = await browser.submit(home, { connection: "shop", label: "by hand" });
    expect(issued.text).toMatch(PASS_PATTERN);
    const again = await browser.open(house.baseUrl);
    expect(again.text).toContain("by hand");
    const action = /action="(\/passes\/[^"]+\/revoke)"/.exec(again.text)?.[1] ?? "";
    const headers = { cookie: browser.cookie(house.baseUrl), origin: house.baseUrl };
    await fetch(house.baseUrl + action, { method: "POST", headers });
    expect((await browser.open(house.baseUrl)).text).toContain("revoked");
    await house.close();
  });
});
