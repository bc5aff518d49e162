import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { Browserless } from "../../cli/browserless-sign-in.ts";
import { type Running, serve, type ServeOptions } from "../../cli/serve.ts";
import type { PrincipalId } from "../../core/identity/principal.ts";
import type { ApprovalId, HeldRequest } from "../../core/ports/approval-desk.ts";
import type { Mail } from "../../core/ports/mailer.ts";
import { DEMO_PASSWORD, DEMO_PEOPLE } from "../../local/demo-people.ts";
import { held } from "../setup/approvals.ts";
import { browserless } from "../setup/http-sign-in.ts";
import { readMail, startMailServer } from "../setup/mail-server.ts";

const HERE = { host: "127.0.0.1", port: 0 };
const NEVER = new AbortController().signal;
/** The file knows bob before he signs in, and alice as an approver, which her own sign-in does not say. */
const DIRECTORY = `people:
  - { email: bob@shop.example, name: Bob Approver, groups: [approvers] }
  - { email: alice@shop.example, groups: [approvers] }
`;

let directory: string;
let options: ServeOptions;
let running: Running;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "sallyport-test-approvals-"));
  await mkdir(join(directory, "config"));
  await writeFile(join(directory, "config", "connections.yaml"), "connections: {}");
  await writeFile(join(directory, "config", "directory.yaml"), DIRECTORY);
  options = {
    state: join(directory, "state"),
    config: join(directory, "config"),
    listen: HERE,
    http: HERE,
    publicUrl: undefined,
    advertise: undefined,
    tls: undefined,
    identity: { kind: "embedded", listen: HERE, people: DEMO_PEOPLE },
    logger: pino({ level: "silent" }),
  };
  running = await serve(options);
});
afterAll(async () => {
  await running.close();
  await rm(directory, { recursive: true, force: true });
});

/** What alice asks for, as the gateway would hold it now. */
function ask(over: Partial<HeldRequest> = {}): HeldRequest {
  const requester = { id: `${running.issuer}|alice` as PrincipalId, name: "alice@shop.example" };
  const now = Date.now();
  const times = { requestedAt: now, expiresAt: now + 60_000 };
  return held({ ...times, requester: { kind: "user", groups: ["engineers"], ...requester }, ...over });
}

/** A new request: its id, who decides on it, and the mail that its approver got. */
async function asked(over: Partial<HeldRequest> = {}): Promise<{ id: ApprovalId; request: HeldRequest; mail: Mail }> {
  const request = ask(over);
  const { desk, outbox } = running.approvals;
  const before = (await outbox?.list(undefined, 1_000))?.length ?? 0;
  const { id } = await desk.request(request);
  const mails = await vi.waitFor(async () => {
    const all = (await outbox?.list(undefined, 1_000)) ?? [];
    expect(all.length).toBeGreaterThan(before);
    return all;
  });
  const mail = mails[0];
  if (mail === undefined) throw new Error("there is no mail");
  return { id, request, mail };
}

const linkOf = ({ text }: { text: string }): string => /^http:\S+by-mail\?token=\S+$/m.exec(text)?.[0] ?? "";

/** Opens a page as one of the demo's people, who signs in on the way. */
async function openAs(
  user: string,
  url: string,
): Promise<{ browser: Browserless; page: Awaited<ReturnType<Browserless["open"]>> }> {
  const browser = browserless();
  const page = await browser.submit(await browser.open(url), { user, password: DEMO_PASSWORD });
  return { browser, page };
}

describe("a request of alice's", () => {
  test("is told to bob by mail before he first signs in, decided by his link, and used once by the gateway", async () => {
    const { id, request, mail } = await asked();
    const { desk } = running.approvals;
    const decision = desk.decided(id, NEVER);
    expect(mail.to.email).toBe("bob@shop.example");
    expect(mail.text).toContain("DELETE FROM orders");

    const { browser, page } = await openAs("bob", linkOf(mail));
    expect(page.url.href).toBe(linkOf(mail));
    expect(page.text).toContain("DELETE FROM orders");
    await browser.open(linkOf(mail));
    await expect(desk.use(id, request)).rejects.toMatchObject({ code: "conflict" });

    const decided = await browser.submit(page, { words: "for the migration", decision: "approve" });
    expect([decided.status, decided.url.pathname]).toEqual([200, `/approvals/${id}`]);
    expect(await decision).toEqual({
      kind: "granted",
      by: [{ id: `${running.issuer}|bob`, name: "bob@shop.example", words: "for the migration" }],
    });
    await desk.use(id, request);
    await expect(desk.use(id, request)).rejects.toMatchObject({ code: "conflict" });
    expect((await browser.submit(page, { words: "", decision: "deny" })).status).toBe(409);
  });

  test("is hers to see and to cancel, and not to decide; whoever is not asked does not find it", async () => {
    const { id, mail } = await asked();
    const url = `${running.url}/approvals/${id}`;
    const { browser, page } = await openAs("alice", url);
    expect(page.text).toContain("your own request");
    const headers = { cookie: browser.cookie(url), origin: running.url };
    const post = (path: string, form: Record<string, string> = {}) =>
      fetch(url + path, { method: "POST", headers, body: new URLSearchParams(form), redirect: "manual" });
    expect((await post("/decision", { decision: "approve" })).status).toBe(403);
    expect((await browser.open(linkOf(mail))).status).toBe(403);
    expect((await openAs("dave", url)).page.status).toBe(404);
    expect((await openAs("carol", url)).page.status).toBe(200);

    expect((await post("/cancel")).status).toBe(303);
    expect(await running.approvals.desk.decided(id, NEVER)).toEqual({ kind: "cancelled" });
    const { browser: bobs, page: late } = await openAs("bob", linkOf(mail));
    expect(late.text).not.toContain("/decision");
    const answer = await fetch(`${url}/decision`, {
      method: "POST",
      headers: { cookie: bobs.cookie(url), origin: running.url },
      body: new URLSearchParams({ decision: "approve" }),
    });
    expect(answer.status).toBe(409);
  });

  test("that nobody decides on expires, and a late answer is refused", async () => {
    const { id, mail } = await asked({ expiresAt: Date.now() + 1_500 });
    const { browser, page } = await openAs("bob", linkOf(mail));
    expect(page.text).toContain("/decision");
    expect(await running.approvals.desk.decided(id, NEVER)).toEqual({ kind: "expired" });
    // Its link is over, too, by whole seconds: one of the two refuses.
    expect([403, 409]).toContain((await browser.submit(page, { words: "", decision: "approve" })).status);
    expect((await browser.open(`${running.url}/approvals/${id}`)).text).toContain("expired");
  });

  test("is decided by a member from the list as well, and stands in the history", async () => {
    const { id } = await asked();
    const { browser, page } = await openAs("bob", `${running.url}/approvals`);
    expect(page.text).toContain(`/approvals/${id}`);
    const one = await browser.open(`${running.url}/approvals/${id}`);
    await browser.submit(one, { words: "no", decision: "deny" });
    expect(await running.approvals.desk.decided(id, NEVER)).toMatchObject({ kind: "denied", by: { words: "no" } });
    expect((await browser.open(`${running.url}/outbox`)).text).toContain("by-mail?token=");
  });
});

test("with a mail server the mail goes there, and the hold does not wait for one that is away", async () => {
  const server = await startMailServer();
  const mail = { url: `smtp://127.0.0.1:${server.port}`, password: undefined, from: "sallyport@shop.example" };
  const other = await serve({ ...options, state: join(directory, "with-mail"), mail });
  await other.approvals.desk.request(ask());
  const sent = await vi.waitFor(() => {
    expect(server.mails).toHaveLength(1);
    return server.mails[0];
  });
  expect(sent?.recipients).toEqual(["bob@shop.example"]);
  expect(linkOf({ text: readMail(sent?.source ?? "").text })).toContain(other.url);
  await server.close();
  expect((await other.approvals.desk.request(ask())).link).toContain(`${other.url}/approvals/`);
  expect(other.approvals.outbox).toBeUndefined();
  await other.close();
});
