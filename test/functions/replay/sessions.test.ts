import { beforeEach, describe, expect, it } from "vitest";
import type { SessionView } from "../../../functions/replay/views.ts";
import { sessionIdAt } from "../../setup/session-ids.ts";
import { ANA, AUDITOR, BOB, installation, type Problem, rowOf, shopping, T0 } from "./installation.ts";

let site: ReturnType<typeof installation>;
beforeEach(() => {
  site = installation();
});

describe("who may see a session", () => {
  const paths = ["", "/statements", "/statements/1/rows", "/frames", "/transcript", "/manifest", "/verify"];

  it("is whoever opened it, and auditors; to others it does not exist", async () => {
    const row = rowOf(1);
    await site.record(row, shopping(row, 1));
    const missing = sessionIdAt(T0 + 99, 99);
    for (const path of paths) {
      for (const who of [ANA, AUDITOR])
        expect((await site.ask(who, `/api/sessions/${row.id}${path}`)).status, path).toBe(200);
      const others = await site.ask(BOB, `/api/sessions/${row.id}${path}`);
      const none = await site.ask(BOB, `/api/sessions/${missing}${path}`);
      expect(others.status).toBe(404);
      expect(await others.text()).toBe(await none.text());
      expect([...others.headers]).toEqual([...none.headers]);
    }
    expect((await site.ask(BOB, `/sessions/${row.id}`, "text/html")).status).toBe(404);
    expect((await site.ask(ANA, `/sessions/${row.id}`, "text/html")).status).toBe(200);
  });

  it("is nobody who is not signed in", async () => {
    const row = rowOf(1);
    await site.record(row, shopping(row, 1));
    for (const path of ["/api/sessions", ...paths.map((end) => `/api/sessions/${row.id}${end}`), `/sessions/${row.id}`])
      expect((await site.app.request(path)).status, path).toBe(401);
    const browser = await site.app.request("/sessions", { headers: { accept: "text/html" } });
    expect([browser.status, browser.headers.get("location")]).toEqual([303, "/auth/login?return_to=%2Fsessions"]);
  });

  it("is not found out by ids that are none", async () => {
    for (const id of ["x", "..%2f..%2fetc", "%00", sessionIdAt(1).toUpperCase() + "A", "'%20OR%201=1"])
      for (const path of paths) expect((await site.ask(AUDITOR, `/api/sessions/${id}${path}`)).status).toBe(404);
  });
});

describe("the list of sessions", () => {
  const ids = async (who: typeof ANA, query = ""): Promise<string[]> =>
    (await site.json<{ sessions: SessionView[] }>(who, `/api/sessions${query}`)).sessions.map(({ id }) => id);
  const rows = [rowOf(1), rowOf(2, BOB), rowOf(3, ANA, { connection: "ledger" }), rowOf(4, BOB)];
  const id = (n: number): string => rowOf(n).id;
  beforeEach(async () => {
    for (const [n, row] of rows.entries()) await site.record(row, shopping(row, 1), n === 3);
  });

  it("shows people their own and auditors all, newest first", async () => {
    expect(await ids(ANA)).toEqual([id(3), id(1)]);
    expect(await ids(BOB)).toEqual([id(4), id(2)]);
    expect(await ids(AUDITOR)).toEqual([id(4), id(3), id(2), id(1)]);
  });

  it("filters, and never widens what somebody sees", async () => {
    const bob = encodeURIComponent(BOB.id);
    expect(await ids(AUDITOR, `?person=${bob}`)).toEqual([id(4), id(2)]);
    expect(await ids(AUDITOR, `?person=${bob}&live=true`)).toEqual([id(4)]);
    expect(await ids(AUDITOR, "?live=false&connection=shop")).toEqual([id(2), id(1)]);
    expect(await ids(AUDITOR, "?connection=ledger&person=&from=&live=")).toEqual([id(3)]);
    expect(await ids(ANA, `?person=${bob}`)).toEqual([]);
    const from = new Date(T0 + 2).toISOString();
    const to = new Date(T0 + 4).toISOString();
    expect(await ids(AUDITOR, `?from=${from}&to=${to}`)).toEqual([id(3), id(2)]);
    expect(await ids(AUDITOR, "?to=2020-01-01")).toEqual([]);
    expect(await ids(AUDITOR, "?from=2020-01-01T10:00&to=2099-01-01T00:00:00%2B02:00")).toHaveLength(4);
  });

  it("pages, and says where the next page starts", async () => {
    const first = await site.json<{ sessions: SessionView[]; next: string }>(AUDITOR, "/api/sessions?limit=3");
    expect(first.next).toBe(id(2));
    const second = await site.json<{ sessions: SessionView[]; next: null }>(
      AUDITOR,
      `/api/sessions?limit=3&after=${first.next}`,
    );
    expect([second.sessions.map((view) => view.id), second.next]).toEqual([[id(1)], null]);
  });

  it("does not tell by its pages whether another's session exists", async () => {
    const other = await site.json<Problem>(ANA, `/api/sessions?after=${id(2)}`, 404);
    expect(await site.json<Problem>(ANA, `/api/sessions?after=${id(77)}`, 404)).toEqual(other);
  });

  it("tells what is known of each session, and that one is live", async () => {
    const [live, closed] = (await site.json<{ sessions: SessionView[] }>(BOB, "/api/sessions")).sessions;
    expect(live).toMatchObject({ live: true, endedAt: null, reason: null, statements: null, head: null });
    expect(closed).toMatchObject({
      connection: "shop",
      principal: { id: BOB.id, name: "bob" },
      startedAt: new Date(T0 + 2).toISOString(),
      live: false,
      reason: "client-closed",
      statements: 2,
      chunks: 1,
    });
  });

  it("refuses queries that it does not understand, rather than show too much", async () => {
    const queries = [
      "limit=0",
      "limit=1001",
      "limit=-1",
      "limit=1e3",
      "limit=x",
      "live=yes",
      "from=yesterday",
      "from=2026-13-45",
    ];
    queries.push(
      "person2=x",
      `connection=${"x".repeat(513)}`,
      "after=../x",
      "after=1",
      "limit=99999999999999999999",
      "from=2026-02-30",
    );
    for (const query of queries) {
      const problem = await site.json<Problem>(AUDITOR, `/api/sessions?${query}`, 400);
      expect(problem.code, query).toBe("bad-request");
    }
  });
});
