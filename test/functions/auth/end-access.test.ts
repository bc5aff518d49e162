import { randomBytes } from "node:crypto";
import type { Hono } from "hono";
import { beforeEach, describe, expect, test } from "vitest";
import { DEVICE_GRANT, parseUserCode } from "../../../core/identity/device-sign-in.ts";
import { mintPass } from "../../../core/identity/pass.ts";
import type { Principal, PrincipalId } from "../../../core/identity/principal.ts";
import type { Pass, PassId } from "../../../core/ports/pass-store.ts";
import type { UserCode } from "../../../core/ports/sign-in-store.ts";
import { authApp } from "../../../functions/auth/app.ts";
import type { AuthDeps } from "../../../functions/auth/deps.ts";
import type { sqliteSessionStore } from "../../../local/session-store.ts";
import { sessionIdAt } from "../../setup/session-ids.ts";
import { ALICE, type DepsInMemory, depsInMemory, principal, signedIn } from "./installation.ts";

const BASE = "https://sallyport.example";
const DAVE = principal("dave", "admins");
const SERVICE: Principal = { kind: "service", id: "service|ci" as PrincipalId, name: "ci", groups: ["engineers"] };

let deps: DepsInMemory;
let sessions: ReturnType<typeof sqliteSessionStore>;
let app: Hono;

beforeEach(async () => {
  deps = depsInMemory({ baseUrl: BASE });
  sessions = deps.sessions as typeof sessions;
  app = authApp(deps);
  await deps.people.signedIn({ ...ALICE, email: ALICE.name, seenAt: deps.clock(), freshUntil: deps.clock() });
});

type Headers = Record<string, string>;
const post = (path: string, headers: Headers, body?: object) =>
  app.request(BASE + path, {
    method: "POST",
    headers: { ...headers, "content-type": "application/json" },
    ...(body && { body: JSON.stringify(body) }),
  });
const inBrowser = async (who: Principal): Promise<Headers> => ({
  ...(await signedIn(deps, who, "web")),
  origin: BASE,
});
const end = async (who: string, by: Principal = DAVE) =>
  post(`/api/people/${encodeURIComponent(who)}/end-access`, await signedIn(deps, by));
const passOf = (owner: Principal, lifetime = 3_600_000): Promise<Pass> =>
  deps.passes.issue({
    principal: owner,
    hash: mintPass(randomBytes).hash,
    connection: undefined,
    label: "",
    issuedAt: deps.clock(),
    expiresAt: deps.clock() + lifetime,
  });
const live = async (n: number, owner: Principal, passId: PassId): Promise<void> =>
  sessions.open({
    id: sessionIdAt(deps.clock(), n),
    protocol: "postgres",
    connection: "shop",
    principalId: owner.id,
    principalName: owner.name,
    passId,
    client: "192.0.2.7:1",
    task: "t",
    startedAt: deps.clock(),
  });
const isRevoked = async ({ id }: Pass): Promise<boolean> => (await deps.passes.get(id))?.revokedAt !== undefined;
const status = async (headers: Headers): Promise<number> => (await app.request(`${BASE}/api/me`, { headers })).status;

describe("an administrator who ends somebody's access", () => {
  test.each([
    ["by id", ALICE.id],
    ["by e-mail", ALICE.name],
    ["by e-mail in capitals", ALICE.name.toUpperCase()],
  ])("%s takes their passes and sessions away at once, and nobody else's", async (_how, who) => {
    const bob = principal("bob", "engineers");
    const [mine, bobs] = [await passOf(ALICE), await passOf(bob)];
    const [web, cli] = [await signedIn(deps, ALICE, "web"), await signedIn(deps, ALICE)];
    const bobsToken = await signedIn(deps, bob);
    const response = await end(who);
    expect([response.status, await response.json()]).toMatchObject([
      200,
      { people: [{ id: ALICE.id, name: ALICE.name, passes: 1, sessions: 0 }] },
    ]);
    expect([await isRevoked(mine), await isRevoked(bobs)]).toEqual([true, false]);
    expect([await status(web), await status(cli), await status(bobsToken)]).toEqual([401, 401, 200]);
    expect(deps.log.join()).toMatch(/access ended/);
    deps.advance(1_000);
    expect(await status(await signedIn(deps, ALICE))).toBe(200); // signed in anew
  });

  test("ends sessions that have outlived their pass, by that pass", async () => {
    const expired = await passOf(ALICE, 1);
    deps.advance(1_000);
    for (let n = 0; n < 3; n++) await live(n, ALICE, expired.id);
    await live(3, DAVE, (await passOf(DAVE)).id);
    expect(await (await end(ALICE.id)).json()).toMatchObject({ people: [{ passes: 0, sessions: 3 }] });
    expect(await isRevoked(expired)).toBe(true);
    expect(await deps.passes.revokedSince(deps.clock() - 1_000)).toContain(expired.id);
  });

  test("lets whoever signs in again right after it be in, and nobody's session of that very moment", async () => {
    await end(ALICE.id);
    const endedAt = (await deps.signIns.notBefore(ALICE.id)) ?? 0;
    for (const [ms, expected] of [
      [-1, 401],
      [0, 401],
      [1, 200],
    ] as const) {
      const signed = await signedIn({ ...deps, clock: () => endedAt + ms }, ALICE);
      expect(await status(signed), `${ms}`).toBe(expected);
    }
  });

  test("ends a service's passes, by its id alone", async () => {
    const pass = await passOf(SERVICE);
    expect((await end("ci")).status).toBe(404);
    expect(await (await end(SERVICE.id)).json()).toMatchObject({ people: [{ id: SERVICE.id, name: "ci", passes: 1 }] });
    expect(await isRevoked(pass)).toBe(true);
  });

  test("takes the effect of device requests away: those that were approved, and those that somebody still might", async () => {
    const device = async (): Promise<{ device_code: string; user_code: string }> =>
      (await (await post("/auth/device", {}, {})).json()) as { device_code: string; user_code: string };
    const [approved, waiting] = [await device(), await device()];
    const decide = async ({ user_code }: { user_code: string }): Promise<number> =>
      (await post("/auth/device/decision", await inBrowser(ALICE), { user_code, decision: "approve" })).status;
    expect(await decide(approved)).toBe(200);
    await end(ALICE.id);
    deps.advance(10_000);
    expect(await decide(waiting)).toBe(200); // she has signed in anew, and approves an old request
    for (const { device_code } of [approved, waiting]) {
      const answer = await post("/auth/token", {}, { grant_type: DEVICE_GRANT, device_code });
      expect([answer.status, await answer.json()]).toMatchObject([400, { error: "access_denied" }]);
    }
    const fresh = await device();
    await decide(fresh);
    expect((await post("/auth/token", {}, { grant_type: DEVICE_GRANT, device_code: fresh.device_code })).status).toBe(
      200,
    );
  });

  test("ends what is live also where the renewal cannot be forgotten, and says that something failed", async () => {
    const pass = await passOf(ALICE);
    app = authApp({
      ...deps,
      signIns: { ...deps.signIns, keepRenewal: async () => Promise.reject(new Error("disk full")) },
    });
    expect((await end(ALICE.id)).status).toBe(500);
    expect(await isRevoked(pass)).toBe(true);
  });

  test("wins over a decision on a device whose request had begun before it", async () => {
    const { user_code = "" } = (await (await post("/auth/device", {}, {})).json()) as Record<string, string>;
    const headers = await inBrowser(ALICE);
    // The last question before the decision: it stands for a body that came late.
    const late: AuthDeps["signIns"]["wrongCodes"] = async (...asked) => {
      await deps.signIns.endAccess(ALICE.id, deps.clock() + 1);
      return deps.signIns.wrongCodes(...asked);
    };
    app = authApp({ ...deps, signIns: { ...deps.signIns, wrongCodes: late } });
    expect((await post("/auth/device/decision", headers, { user_code, decision: "approve" })).status).toBe(401);
    expect((await deps.signIns.findUserCode(parseUserCode(user_code) as UserCode))?.decision).toEqual({
      kind: "pending",
    });
  });

  test("wins over a pass that is issued at the same moment: it is taken back before anybody has it", async () => {
    const slow: AuthDeps["passes"] = {
      ...deps.passes,
      issue: async (wanted) => {
        const pass = await deps.passes.issue(wanted);
        await deps.signIns.endAccess(ALICE.id, deps.clock());
        return pass;
      },
    };
    const racing = authApp({ ...deps, passes: slow });
    const headers = { ...(await signedIn(deps, ALICE)), "content-type": "application/json" };
    const response = await racing.request(`${BASE}/api/passes`, { method: "POST", headers, body: "{}" });
    expect(response.status).toBe(401);
    const passes = await deps.passes.listFor(ALICE.id, 9);
    expect(passes.map(({ revokedAt }) => revokedAt === undefined)).toEqual([false]);
  });

  test("is one: nobody else may, whoever they ask about, and nobody is not to be found by halves", async () => {
    for (const by of [ALICE, principal("eve"), principal("carol", "auditors", "Admins", "admins ")])
      for (const who of [ALICE.id, "nobody"]) expect((await end(who, by)).status).toBe(403);
    expect((await post(`/api/people/${encodeURIComponent(ALICE.id)}/end-access`, {})).status).toBe(401);
    for (const who of ["nobody", "alice", "%", "@", "' OR 1=1 --", "alice@shop.example.evil"])
      expect((await end(who)).status, who).toBe(404);
    expect(await status(await signedIn(deps, ALICE))).toBe(200);
  });

  test("is told where the store cannot say whether somebody's access was ended: then nobody is let in", async () => {
    const headers = await signedIn(deps, ALICE);
    const broken = authApp({
      ...deps,
      signIns: { ...deps.signIns, notBefore: () => Promise.reject(new Error("disk")) },
    });
    expect((await broken.request(`${BASE}/api/me`, { headers })).status).toBe(500);
  });
});
