import { beforeEach, describe, expect, test } from "vitest";
import type { Hono } from "hono";
import { type PassText, hashPass, parsePass } from "../../../core/identity/pass.ts";
import type { Principal } from "../../../core/identity/principal.ts";
import { authApp } from "../../../functions/auth/app.ts";
import type { PassView } from "../../../functions/auth/api-routes.ts";
import { ALICE, CA_PEM, type DepsInMemory, depsInMemory, principal, signedIn } from "./installation.ts";

const BASE = "https://sallyport.example";
const BOB = principal("bob", "approvers");
const DAVE = principal("dave", "admins");
let deps: DepsInMemory;
let app: Hono;

beforeEach(() => {
  deps = depsInMemory({ baseUrl: BASE });
  app = authApp(deps);
});

async function call(who: Principal, method: string, path: string, body?: unknown): Promise<Response> {
  const headers = { ...(await signedIn(deps, who)), "content-type": "application/json" };
  return app.request(BASE + path, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
}

type Issued = PassView & { pass: PassText };

async function issue(who: Principal, body: unknown = {}): Promise<Issued> {
  const response = await call(who, "POST", "/api/passes", body);
  expect(response.status).toBe(201);
  return (await response.json()) as Issued;
}

async function list(who: Principal): Promise<PassView[]> {
  return ((await (await call(who, "GET", "/api/passes")).json()) as { passes: PassView[] }).passes;
}

describe("a pass", () => {
  test("is shown once, is good for an hour, and is kept as its hash only", async () => {
    const issued = await issue(ALICE, { connection: "shop", label: "laptop" });
    expect(parsePass(issued.pass)).toBe(issued.pass);
    expect(issued).toMatchObject({ connection: "shop", label: "laptop", revokedAt: null, status: "live" });
    expect(Date.parse(issued.expiresAt) - Date.parse(issued.issuedAt)).toBe(60 * 60 * 1000);
    const kept = await deps.passes.find(hashPass(issued.pass));
    expect(kept).toMatchObject({ id: issued.id, principal: ALICE, connection: "shop" });
    for (const place of [JSON.stringify(await list(ALICE)), deps.log.join(""), JSON.stringify(kept)]) {
      expect(place).toContain(issued.id);
      expect(place).not.toContain(issued.pass);
      expect(place).not.toContain(hashPass(issued.pass));
    }
  });

  test("without a wish is for every connection and has no label", async () => {
    for (const body of [undefined, {}]) expect(await issue(ALICE, body)).toMatchObject({ connection: null, label: "" });
  });

  test("is not issued for a connection that the person's groups do not open, or that is not there", async () => {
    for (const connection of ["billing", "nothing", "", "shop ", "SHOP", "__proto__"]) {
      const response = await call(ALICE, "POST", "/api/passes", { connection });
      expect([response.status, await response.json()]).toMatchObject([404, { code: "connection-unknown" }]);
    }
    expect(await list(ALICE)).toEqual([]);
  });

  test.each<[string, unknown]>([
    ["a number as label", { label: 7 }],
    ["a label of 101 characters", { label: "a".repeat(101) }],
    ["a control character", { label: "a\u0000" }],
    ["a mark that turns text round", { label: "a\u202Eb" }],
    ["a person's id", { principal: "dave" }],
    ["a lifetime", { expiresAt: 1e15 }],
    ["a list", []],
    ["null", null],
    ["a text", "x"],
  ])("is not issued for a request with %s", async (_what, body) => {
    const response = await call(ALICE, "POST", "/api/passes", body);
    expect([response.status, await response.json()]).toMatchObject([400, { code: "bad-request" }]);
    expect(await list(ALICE)).toEqual([]);
  });

  test("is one of a hundred live ones at most; a revoked or an expired one makes room", async () => {
    const first = await issue(ALICE);
    for (let times = 1; times < 100; times++) await issue(ALICE);
    expect((await call(ALICE, "POST", "/api/passes", {})).status).toBe(429);
    await issue(BOB);
    await call(ALICE, "DELETE", `/api/passes/${first.id}`);
    await issue(ALICE);
    expect((await call(ALICE, "POST", "/api/passes", {})).status).toBe(429);
    deps.advance(60 * 60 * 1000);
    await issue(ALICE);
  });
});

describe("a list of passes", () => {
  test("has one's own, newest first, and says which still live", async () => {
    const first = await issue(ALICE, { label: "first" });
    deps.advance(60 * 60 * 1000);
    const second = await issue(ALICE, { label: "second" });
    deps.advance(1000);
    await issue(ALICE, { label: "third" });
    await issue(BOB);
    await call(ALICE, "DELETE", `/api/passes/${second.id}`);
    expect((await list(ALICE)).map(({ label, status }) => [label, status])).toEqual([
      ["third", "live"],
      ["second", "revoked"],
      ["first", "expired"],
    ]);
    expect(first.status).toBe("live");
  });
});

describe("revoking", () => {
  test("one's own pass ends it at once, and again changes nothing", async () => {
    const { id } = await issue(ALICE);
    const before = deps.clock();
    const response = await call(ALICE, "DELETE", `/api/passes/${id}`);
    expect(response.status).toBe(200);
    const revoked = (await response.json()) as PassView;
    expect(revoked).toMatchObject({ id, status: "revoked" });
    expect(await deps.passes.revokedSince(before)).toEqual([id]);
    deps.advance(1000);
    expect(await (await call(ALICE, "DELETE", `/api/passes/${id}`)).json()).toEqual(revoked);
  });

  test("another's pass is for admins; to others it is not even there", async () => {
    const { id } = await issue(ALICE);
    const almost = [
      BOB,
      principal("eve", "admin"),
      principal("eve", "Admins"),
      principal("eve", "admins "),
      principal("eve"),
    ];
    for (const who of almost) {
      const [theirs, nobodys] = [
        await call(who, "DELETE", `/api/passes/${id}`),
        await call(who, "DELETE", "/api/passes/nothing"),
      ];
      expect(theirs.status).toBe(404);
      expect(await theirs.json()).toEqual(await nobodys.json());
    }
    expect((await list(ALICE))[0]?.status).toBe("live");
    expect((await call(DAVE, "DELETE", `/api/passes/${id}`)).status).toBe(200);
    expect((await list(ALICE))[0]?.status).toBe("revoked");
    expect(deps.log.at(-1)).toContain(DAVE.id);
  });

  test.each(["x", "%00", "..", "' OR 1=1", "a".repeat(5000)])("the pass %.20j revokes nothing", async (id) => {
    await issue(ALICE);
    expect((await call(ALICE, "DELETE", `/api/passes/${encodeURIComponent(id)}`)).status).toBe(404);
    expect(await deps.passes.revokedSince(0)).toEqual([]);
  });
});

describe("the connections", () => {
  test("are those that one's groups open, with a string for psql that holds no secret", async () => {
    expect(await (await call(ALICE, "GET", "/api/connections")).json()).toEqual({
      connections: [
        {
          name: "shop",
          protocol: "postgres",
          description: "the shop's <orders>",
          host: "gateway.example",
          port: 5432,
          conninfo: "host=gateway.example port=5432 dbname=shop sslmode=verify-full sslrootcert=sallyport-ca.pem",
        },
      ],
    });
    for (const who of [BOB, principal("eve"), principal("eve", "")])
      expect(await (await call(who, "GET", "/api/connections")).json()).toEqual({ connections: [] });
  });

  test("are looked up at every request, as the configuration may change", async () => {
    let access = ["engineers"];
    const connections = () => [{ name: "shop", protocol: "postgres" as const, description: "", access }];
    app = authApp({ ...deps, connections });
    await issue(ALICE, { connection: "shop" });
    access = [];
    expect((await call(ALICE, "POST", "/api/passes", { connection: "shop" })).status).toBe(404);
  });

  test("with names that a connection string must quote are quoted", async () => {
    const name = `it's a \\ "shop"`;
    app = authApp({
      ...deps,
      connections: () => [{ name, protocol: "postgres", description: "", access: ["engineers"] }],
    });
    expect(await (await call(ALICE, "GET", "/api/connections")).json()).toMatchObject({
      connections: [{ conninfo: expect.stringContaining(`dbname='it\\'s a \\\\ "shop"' `) }],
    });
  });

  test("need the certificate authority, which is public", async () => {
    const response = await app.request(`${BASE}/api/ca.pem`);
    expect([response.status, await response.text()]).toEqual([200, CA_PEM]);
  });
});

describe("every request", () => {
  test("may have a body of 64 KiB and no more, whether it says its length or not", async () => {
    const headers = { ...(await signedIn(deps, ALICE)), "content-type": "application/json" };
    const send = (bytes: number, streamed: boolean): Promise<Response> => {
      const text = `{"label":"a"${" ".repeat(bytes - 13)}}`;
      const body = streamed ? new Blob([text]).stream() : text;
      const length = streamed ? {} : { "content-length": String(bytes) };
      const init = { method: "POST", headers: { ...headers, ...length }, body, duplex: "half" as const };
      return Promise.resolve(app.request(new Request(`${BASE}/api/passes`, init)));
    };
    for (const streamed of [false, true]) {
      expect((await send(64 * 1024, streamed)).status).toBe(201);
      const refused = await send(64 * 1024 + 1, streamed);
      expect([refused.status, await refused.json()]).toMatchObject([413, { code: "too-large" }]);
    }
  });

  test.each([
    ["text/plain", '{"label":"x"}', 415],
    ["", '{"label":"x"}', 415],
    ["multipart/form-data; boundary=x", "--x--", 415],
    ["application/json", "{", 400],
    ["application/json", "{'label':1}", 400],
    ["application/json; charset=utf-8", "label=x", 400],
  ])("with a body of type %j that is not what it says is refused: %j", async (type, body, status) => {
    const headers = { ...(await signedIn(deps, ALICE)), "content-type": type };
    const response = await app.request(`${BASE}/api/passes`, { method: "POST", headers, body });
    const code = status === 415 ? "unsupported-media-type" : "bad-request";
    expect([response.status, await response.json()]).toMatchObject([status, { code }]);
  });
});
