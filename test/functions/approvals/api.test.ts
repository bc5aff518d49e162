import { randomBytes } from "node:crypto";
import { beforeEach, describe, expect, test } from "vitest";
import { mintPass } from "../../../core/identity/pass.ts";
import type { Approval } from "../../../core/ports/approval-store.ts";
import type { ApprovalView } from "../../../functions/approvals/views.ts";
import { ALICE, BOB, ERIN, LIFETIME_MS, NOW, person } from "../../setup/approvals.ts";
import { installation } from "./installation.ts";

interface Listed {
  readonly approvals: readonly ApprovalView[];
  readonly next: string | null;
}

const EVE = person("eve", "engineers", "approvers2");
const OLGA = person("olga", "auditors");

let site: ReturnType<typeof installation>;
let approval: Approval;
let at: string;
beforeEach(async () => {
  site = installation();
  approval = await site.put();
  at = `/api/approvals/${approval.id}`;
});
const approve = { decision: "approve", words: "go ahead" };
const list = (who: typeof BOB, query = "") => site.json<Listed>(who, `/api/approvals${query}`);

test("a decision whose body comes after its session was ended decides nothing", async () => {
  const ended = { isSignedOut: async () => false, notBefore: async () => endedAt };
  let endedAt: number | undefined;
  site = installation(ended);
  approval = await site.put();
  let rest = (): void => undefined;
  const text = JSON.stringify(approve);
  const body = new ReadableStream({
    start(stream) {
      stream.enqueue(Buffer.from(text.slice(0, 1)));
      rest = () => {
        stream.enqueue(Buffer.from(text.slice(1)));
        stream.close();
      };
    },
  });
  const authorization = `Bearer ${await site.session(BOB, "cli")}`;
  const headers = { authorization, "content-type": "application/json", "content-length": String(text.length) };
  const init = { method: "POST", headers, body, duplex: "half" } as RequestInit;
  const deciding = site.app.request(`/api/approvals/${approval.id}/decision`, init);
  await new Promise((done) => setTimeout(done, 20));
  endedAt = site.time.now;
  rest();
  expect((await deciding).status).toBe(401);
  expect((await site.approvals.get(approval.id))?.status).toBe("requested");
});

describe("an approval", () => {
  test("is told with all that a decision needs, and with what whoever asks may do", async () => {
    expect(await site.json(BOB, at)).toEqual({
      id: approval.id,
      kind: "statement",
      status: "requested",
      requester: { id: ALICE.id, name: ALICE.name },
      actors: [],
      connection: "shop",
      environment: "production",
      client: "192.0.2.7:50123",
      session: null,
      shown: "DELETE FROM orders",
      digest: "a".repeat(64),
      policyVersion: "v1",
      policies: ["hold-unbounded-writes"],
      reason: "DELETE without WHERE needs a consent",
      consents: [{ group: "approvers", count: 1 }],
      answers: [],
      requestedAt: new Date(NOW).toISOString(),
      expiresAt: new Date(NOW + LIFETIME_MS).toISOString(),
      decidedAt: null,
      closed: null,
      may: { decide: true, cancel: false, revoke: false },
    });
    expect((await site.json(ALICE, at)).may).toEqual({ decide: false, cancel: true, revoke: false });
    expect((await site.json(OLGA, at)).may).toEqual({ decide: false, cancel: false, revoke: false });
  });

  test("is not there for anybody but its requester, the asked groups and auditors, whatever they try", async () => {
    const nowhere = await (await site.ask(EVE, "/api/approvals/AAAAAAAAAAAAAAAAAAAAAA")).text();
    for (const [path, body] of [
      [at],
      [`${at}/decision`, approve],
      [`${at}/cancel`, {}],
      [`${at}/revoke`, {}],
      [`/api/approvals?after=${approval.id}`],
    ] as const) {
      const response = await site.ask(EVE, path, body);
      expect([path, response.status]).toEqual([path, 404]);
      expect(await response.text()).toBe(nowhere);
    }
    expect(await list(EVE)).toEqual({ approvals: [], next: null });
  });

  test("shows no secret, whoever looks", async () => {
    const { id } = await site.put({ shown: "ALTER ROLE x PASSWORD 'c4nary'" });
    expect(JSON.stringify(await site.json(BOB, `/api/approvals/${id}`))).not.toContain("c4nary");
  });

  test("has expired by the clock, whether or not anybody wrote it down", async () => {
    site.time.now = NOW + LIFETIME_MS;
    expect(await site.json(BOB, at)).toMatchObject({ status: "expired", may: { decide: false } });
    expect(await site.status(BOB, `${at}/decision`, approve)).toBe(409);
  });
});

describe("a decision", () => {
  test.each([
    ["approve", "granted"],
    ["deny", "denied"],
  ])("to %s is made once, with words, by a member of the asked group", async (decision, status) => {
    const decided = await site.json(BOB, `${at}/decision`, { decision, words: "  by  the\nbook " });
    expect(decided).toMatchObject({ status, answers: [{ by: { id: BOB.id }, words: "by the book" }] });
    for (const who of [BOB, ERIN])
      for (const again of ["approve", "deny"])
        expect(await site.status(who, `${at}/decision`, { decision: again })).toBe(409);
    expect((await site.approvals.get(approval.id))?.answers).toHaveLength(1);
  });

  test("is not taken with a pass in its words, which the record would keep", async () => {
    const { text: pass } = mintPass(randomBytes);
    for (const decision of ["approve", "deny"])
      expect(await site.status(BOB, `${at}/decision`, { decision, words: `here: ${pass}` })).toBe(400);
    expect(await site.approvals.get(approval.id)).toEqual(approval);
  });

  test("is for nobody else: not the requester by any identity, not an auditor, not a service", async () => {
    const alsoAlice = { ...ALICE, groups: ["approvers"] };
    const otherAlice = { ...BOB, name: ALICE.name.toUpperCase() };
    for (const who of [ALICE, alsoAlice, otherAlice, OLGA, { ...BOB, kind: "service" as const }])
      for (const decision of ["approve", "deny"])
        expect(await site.status(who, `${at}/decision`, { decision })).toBe(403);
    expect((await site.approvals.get(approval.id))?.status).toBe("requested");
  });

  test.each([
    [{}],
    [{ decision: "yes" }],
    [{ decision: "approve", words: "x".repeat(501) }],
    [{ decision: "approve", words: "a\u202eb" }],
    [{ decision: "approve", extra: 1 }],
    [{ decision: "approve", words: 7 }],
  ])("that makes no sense is refused: %j", async (body) => {
    expect(await site.status(BOB, `${at}/decision`, body)).toBe(400);
    expect((await site.approvals.get(approval.id))?.status).toBe("requested");
  });

  test("of a quorum waits for the others", async () => {
    const two = await site.put({ consents: [{ group: "approvers", count: 2 }] });
    const path = `/api/approvals/${two.id}`;
    expect(await site.json(BOB, `${path}/decision`, approve)).toMatchObject({
      status: "requested",
      may: { decide: false },
    });
    expect(await site.status(BOB, `${path}/decision`, approve)).toBe(409);
    expect(await site.json(ERIN, `${path}/decision`, approve)).toMatchObject({ status: "granted" });
  });
});

describe("the link of a mail", () => {
  test("decides for the one it was sent to, also under another spelling, and for nobody else", async () => {
    await site.signIn(BOB, "Bob@shop.example");
    await site.signIn(ERIN);
    const token = await site.mailToken(approval, "bob@SHOP.example");
    expect(await site.status(ERIN, `${at}/decision`, { ...approve, token })).toBe(403);
    expect((await site.approvals.get(approval.id))?.status).toBe("requested");
    expect(await site.json(BOB, `${at}/decision`, { ...approve, token })).toMatchObject({ status: "granted" });
  });

  test("gives no right that the person has not got, and none on another approval", async () => {
    await site.signIn(EVE);
    await site.signIn(BOB);
    const eves = await site.mailToken(approval, EVE.name);
    expect(await site.status(EVE, `${at}/decision`, { ...approve, token: eves })).toBe(404);
    const other = await site.put();
    const bobs = await site.mailToken(other, BOB.name);
    expect(await site.status(BOB, `${at}/decision`, { ...approve, token: bobs })).toBe(404);
    expect(await site.status(BOB, `${at}/decision`, { ...approve, token: "nonsense" })).toBe(403);
    expect((await site.approvals.get(approval.id))?.status).toBe("requested");
  });

  test("is for an address that the identity provider vouches for, and no name that a person has chosen", async () => {
    await site.people.signedIn({ ...ERIN, name: "bob@shop.example", email: undefined, seenAt: NOW, freshUntil: NOW });
    const token = await site.mailToken(approval, "bob@shop.example");
    const chosen = { ...ERIN, name: "bob@shop.example" };
    expect(await site.status(chosen, `${at}/decision`, { ...approve, token })).toBe(403);
  });
});

describe("giving up and taking back", () => {
  test("the requester cancels, once, and a late answer is refused", async () => {
    expect(await site.status(BOB, `${at}/cancel`, {})).toBe(409);
    expect(await site.json(ALICE, `${at}/cancel`, {})).toMatchObject({
      status: "cancelled",
      closed: { by: { id: ALICE.id } },
    });
    expect(await site.status(ALICE, `${at}/cancel`, {})).toBe(409);
    expect(await site.status(BOB, `${at}/decision`, approve)).toBe(409);
  });

  test("a member of the asked group revokes what was granted and not used; the requester gives it up", async () => {
    expect(await site.status(ERIN, `${at}/revoke`, {})).toBe(409);
    await site.json(BOB, `${at}/decision`, approve);
    expect((await site.json(ERIN, at)).may).toEqual({ decide: false, cancel: false, revoke: true });
    expect(await site.status(ALICE, `${at}/revoke`, {})).toBe(403);
    expect(await site.json(ERIN, `${at}/revoke`, {})).toMatchObject({
      status: "revoked",
      closed: { by: { id: ERIN.id } },
    });
    const second = await site.put();
    await site.json(BOB, `/api/approvals/${second.id}/decision`, approve);
    expect(await site.json(ALICE, `/api/approvals/${second.id}/cancel`, {})).toMatchObject({ status: "revoked" });
  });
});

describe("the list", () => {
  test("of what waits for me has what I may decide on, and nothing of my own", async () => {
    const bobs = await site.put({ requester: BOB });
    const other = await site.put({ consents: [{ group: "dba", count: 1 }] });
    const ids = async (who: typeof BOB, query: string) => (await list(who, query)).approvals.map(({ id }) => id);
    expect(await ids(BOB, "?waiting=me")).toEqual([approval.id]);
    expect(new Set(await ids(ERIN, "?waiting=me"))).toEqual(new Set([approval.id, bobs.id]));
    expect(await ids(ALICE, "?waiting=me")).toEqual([]);
    expect(await ids(OLGA, "?waiting=me")).toEqual([]);
    expect(new Set(await ids(ALICE, "?waiting=any"))).toEqual(new Set([approval.id, other.id]));
    expect(await ids(OLGA, "")).toHaveLength(3);
    await site.json(BOB, `${at}/decision`, approve);
    expect(await ids(BOB, "?waiting=me")).toEqual([]);
    expect(await ids(BOB, "")).toContain(approval.id);
  });

  test("goes on from page to page", async () => {
    for (let n = 1; n < 5; n++) await site.put({ requestedAt: NOW + n });
    const seen: string[] = [];
    for (let next: string | null = ""; next !== null;) {
      const page: Listed = await list(BOB, `?limit=2${next && `&after=${next}`}`);
      seen.push(...page.approvals.map(({ id }) => id));
      next = page.next;
    }
    expect(new Set(seen).size).toBe(5);
    expect(seen).toHaveLength(5);
  });

  test.each(["?limit=0", "?limit=201", "?limit=x", "?waiting=you", "?person=alice"])("refuses %s", async (query) => {
    expect(await site.status(BOB, `/api/approvals${query}`)).toBe(400);
  });
});

test("nobody without a session learns or decides anything, and the answer is a problem of RFC 9457", async () => {
  for (const path of ["/api/approvals", at, `${at}/decision`]) {
    const response = await site.app.request(path, { method: path.endsWith("decision") ? "POST" : "GET" });
    expect(response.status).toBe(401);
    expect(response.headers.get("content-type")).toBe("application/problem+json");
  }
});
