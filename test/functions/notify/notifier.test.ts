import { randomBytes } from "node:crypto";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { verifyMailToken } from "../../../core/approval/mail-token.ts";
import { answer } from "../../../core/approval/state.ts";
import { transition } from "../../../core/approval/transition.ts";
import { SallyportError } from "../../../core/errors.ts";
import type { PrincipalId } from "../../../core/identity/principal.ts";
import type { HeldRequest } from "../../../core/ports/approval-desk.ts";
import type { Approval, ApprovalStore } from "../../../core/ports/approval-store.ts";
import type { Mail } from "../../../core/ports/mailer.ts";
import type { PeopleStore } from "../../../core/ports/people-store.ts";
import { type Notifier, notifier, type NotifyDeps } from "../../../functions/notify/notifier.ts";
import { sqliteApprovalStore } from "../../../local/approval-store.ts";
import { openDatabase } from "../../../local/database.ts";
import { sqlitePeopleStore } from "../../../local/people-store.ts";
import { BOB, LIFETIME_MS, NOW, person, requested } from "../../setup/approvals.ts";

const BASE = "https://sallyport.example";
const key = randomBytes(32);

let store: ApprovalStore;
let people: PeopleStore;
let sent: Mail[];
let log: string[];
let failures: number;
let deps: NotifyDeps;
let running: Notifier;

beforeEach(() => {
  vi.useFakeTimers({ now: NOW, toFake: ["setTimeout", "clearTimeout", "Date"] });
  const db = openDatabase(":memory:");
  [store, people, sent, log, failures] = [sqliteApprovalStore(db), sqlitePeopleStore(db), [], [], 0];
  deps = {
    baseUrl: BASE,
    tokenKey: key,
    approvals: store,
    people,
    directory: () => [{ email: "bob@shop.example", name: "Bob", groups: ["approvers"] }],
    mailer: {
      send: async (mail) => {
        if (failures-- > 0) throw new SallyportError("mail-unavailable", "the mail server is away");
        sent.push(mail);
      },
    },
    clock: Date.now,
    logger: pino({ base: null }, { write: (line: string) => void log.push(line) }),
  };
  running = notifier(deps);
});
afterEach(async () => {
  await running.close();
  vi.useRealTimers();
});

/** Puts a request and tells of it, and lets everything happen that needs no time. */
async function tell(over: Partial<HeldRequest> = {}): Promise<Approval> {
  const approval = requested(over);
  await store.put(approval);
  const before = log.length;
  running.tell(approval);
  await vi.waitFor(() => expect(log.length).toBeGreaterThan(before));
  return approval;
}

const XSS = `<img src=x onerror="alert(1)">'&`;

describe("the mail to an approver", () => {
  test("says who asks what, where, why and until when, as text and as HTML", async () => {
    await tell({ shown: "DELETE FROM orders\nWHERE true" });
    const [mail] = sent;
    expect(mail?.to).toEqual({ name: "Bob", email: "bob@shop.example" });
    expect(mail?.subject).toBe("Consent needed: alice@shop.example waits on shop");
    for (const said of [
      "alice@shop.example",
      "https://idp.example|alice",
      "shop, environment production, from 192.0.2.7:50123",
      "DELETE without WHERE needs a consent",
      "hold-unbounded-writes",
      "1 of approvers",
      "2027-01-15T08:15:00",
    ]) {
      expect(mail?.text).toContain(said);
      expect(mail?.html).toContain(said);
    }
    expect(mail?.text).toContain("    DELETE FROM orders\n    WHERE true\n");
    expect(mail?.html).toContain("<pre>DELETE FROM orders\nWHERE true</pre>");
  });

  test("has a link for this addressee and this approval, in both forms, that ends with the request", async () => {
    const { id } = await tell();
    const [mail] = sent;
    const link = /^https:\/\/sallyport\.example\/approvals\/by-mail\?token=([\w.-]+)$/m.exec(mail?.text ?? "");
    expect(mail?.html).toContain(`href="${link?.[0]}"`);
    const authority = { issuer: BASE, key };
    expect(await verifyMailToken(authority, link?.[1] ?? "", NOW)).toEqual({
      approval: id,
      email: "bob@shop.example",
      person: undefined,
    });
    await expect(verifyMailToken(authority, link?.[1] ?? "", NOW + LIFETIME_MS)).rejects.toThrow();
  });

  test("escapes whatever others have written, and lets no character act", async () => {
    const nasty = `${XSS}\u0000\u202e\u001b[2J`;
    const requester = { ...person("alice"), name: `${nasty}\r\nBcc: eve@else.example` };
    await tell({
      requester,
      shown: nasty,
      reason: nasty,
      connection: nasty,
      environment: nasty,
      client: nasty,
      policies: [nasty],
    });
    const [mail] = sent;
    expect(mail?.html).not.toContain("<img");
    expect(
      mail?.html.match(/&lt;img src=x onerror=&quot;alert\(1\)&quot;&gt;&#39;&amp;␀&lt;U\+202E&gt;␛/g)?.length,
    ).toBe(7);
    for (const text of [mail?.subject, mail?.text, mail?.html])
      expect(text).not.toMatch(/(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
    expect(mail?.subject).not.toContain("\n");
  });

  test("says who acts in the requester's place", async () => {
    await tell({ requester: { ...person("alice"), actors: ["https://idp.example|agent" as PrincipalId] } });
    for (const text of [sent[0]?.text, sent[0]?.html]) expect(text).toContain("https://idp.example|agent");
  });

  test("is bounded, and has no secret in it", async () => {
    const huge = `ALTER ROLE x PASSWORD 'c4nary' ${"x".repeat(200_000)}`;
    await tell({
      shown: huge,
      reason: huge,
      connection: huge,
      policies: [huge],
      requester: { ...person("a"), name: huge },
    });
    const [mail] = sent;
    for (const text of [mail?.subject, mail?.text, mail?.html]) {
      expect(text).not.toContain("c4nary");
      expect(text?.length).toBeLessThan(10_000);
    }
    expect(mail?.text).toMatch(/and \d+ more characters: the page shows them/);
  });
});

describe("sending it", () => {
  test("never throws and never waits, whatever fails, and the log says what", async () => {
    people.inGroup = () => Promise.reject(new SallyportError("store-unavailable", "gone"));
    await tell();
    expect(log.join()).toContain("approvers could not be told");
    log.length = 0;
    notifier({ ...deps, people: sqlitePeopleStore(openDatabase(":memory:")), directory: () => [] }).tell(requested());
    await vi.waitFor(() => expect(log.join()).toContain("nobody with an address can be asked"));
  });

  test("is tried again when it fails, a few times and not for ever", async () => {
    failures = 2;
    await tell();
    expect(sent).toHaveLength(0);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(sent).toHaveLength(1);
    failures = 1_000;
    await tell();
    await vi.advanceTimersByTimeAsync(LIFETIME_MS - 20_000);
    expect(1_000 - failures).toBe(6);
    expect(log.join()).toContain("never");
  });

  test("ends when the request is decided or over", async () => {
    failures = 1;
    const { id } = await tell();
    await transition(store, id, (found) => answer(found, { by: BOB, consents: true, words: "" }, Date.now()));
    await vi.advanceTimersByTimeAsync(60_000);
    failures = 1;
    await tell({ expiresAt: Date.now() + 500 });
    await vi.advanceTimersByTimeAsync(60_000);
    expect(sent).toHaveLength(0);
  });

  test("ends when the process does", async () => {
    failures = 1;
    await tell();
    await running.close();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(sent).toHaveLength(0);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("fills nobody's mailbox: sixty in ten minutes, and the rest stands in the list", async () => {
    for (let n = 0; n < 80; n++) await tell();
    await vi.waitFor(() => expect(log.join()).toContain("this mailbox has had many"));
    expect(sent).toHaveLength(60);
    await vi.advanceTimersByTimeAsync(10 * 60_000);
    log.length = 0;
    await tell({ requestedAt: Date.now(), expiresAt: Date.now() + LIFETIME_MS });
    await vi.waitFor(() => expect(sent).toHaveLength(61));
  });

  test("tells the log neither what the mail says nor its link", async () => {
    failures = 1;
    await tell({ shown: "c4nary" });
    await vi.advanceTimersByTimeAsync(10_000);
    expect(log.join()).not.toMatch(/c4nary|token=|eyJ/);
  });
});
