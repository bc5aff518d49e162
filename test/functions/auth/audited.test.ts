import { randomBytes } from "node:crypto";
import { beforeEach, describe, expect, test } from "vitest";
import type { Hono } from "hono";
import type { Principal } from "../../../core/identity/principal.ts";
import { mintPass } from "../../../core/identity/pass.ts";
import { SSH_KEY_NAMESPACE, sshKeyStatement } from "../../../core/identity/ssh-signature.ts";
import { signInOverHttp } from "../../../cli/browserless-sign-in.ts";
import { authApp } from "../../../functions/auth/app.ts";
import { DEMO_PASSWORD } from "../../../local/demo-people.ts";
import { faultsOf } from "../../core/audit/ocsf-schema.ts";
import { madeKey } from "../../setup/ssh-keygen.ts";
import { ALICE, type DepsInMemory, depsInMemory, principal, signedIn, startInstallation } from "./installation.ts";

const BASE = "https://sallyport.example";
const ADMIN = principal("dave", "admins");
const KEY = await madeKey();
let deps: DepsInMemory;
let app: Hono;

beforeEach(() => {
  deps = depsInMemory({ baseUrl: BASE });
  app = authApp(deps);
});

async function call(who: Principal, method: string, path: string, body?: unknown): Promise<Response> {
  // Devices are let in by browsers alone.
  const signed = await signedIn(deps, who, path.startsWith("/auth/device") ? "web" : "cli");
  const headers = { ...signed, origin: BASE, "content-type": "application/json" };
  return app.request(BASE + path, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
}
const idOf = async (response: Response): Promise<string> => ((await response.json()) as { id: string }).id;
const signature = (who: Principal): Promise<string> => KEY.sign(sshKeyStatement(BASE, who), SSH_KEY_NAMESPACE);
const startDevice = async (): Promise<{ user_code: string; device_code: string }> => {
  const started = await app.request(`${BASE}/auth/device`, { method: "POST" });
  return (await started.json()) as { user_code: string; device_code: string };
};
const token = (device_code: string): Promise<Response> => {
  const body = new URLSearchParams({ grant_type: "urn:ietf:params:oauth:grant-type:device_code", device_code });
  return Promise.resolve(app.request(`${BASE}/auth/token`, { method: "POST", body }));
};

/** Each thing that can be done, and what is written of it. */
const DEEDS: Readonly<Record<string, { readonly codes: readonly string[]; readonly run: () => Promise<unknown> }>> = {
  "a pass that is issued": {
    codes: ["pass-issued"],
    run: () => call(ALICE, "POST", "/api/passes", { connection: "shop", label: "laptop" }),
  },
  "a pass that is refused": {
    codes: ["pass-refused"],
    run: () => call(ALICE, "POST", "/api/passes", { connection: "billing" }),
  },
  "a pass that its owner revokes": {
    codes: ["pass-issued", "pass-revoked"],
    run: async () => call(ALICE, "DELETE", `/api/passes/${await idOf(await call(ALICE, "POST", "/api/passes", {}))}`),
  },
  "a public key that is registered and removed": {
    codes: ["key-registered", "key-removed"],
    run: async () => {
      const registered = await call(ALICE, "POST", "/api/ssh-keys", { signature: await signature(ALICE) });
      return call(ALICE, "DELETE", `/api/ssh-keys/${await idOf(registered)}`);
    },
  },
  "a public key that is another's": {
    codes: ["key-registered", "key-registered", "key-registered"],
    run: async () => {
      await call(ALICE, "POST", "/api/ssh-keys", { signature: await signature(ALICE) });
      return call(ADMIN, "POST", "/api/ssh-keys", { signature: await signature(ADMIN) });
    },
  },
  "a device that is approved and signs in": {
    codes: ["device-approved", "signed-in"],
    run: async () => {
      const { user_code, device_code } = await startDevice();
      await call(ALICE, "POST", "/auth/device/decision", { user_code, decision: "approve" });
      return token(device_code);
    },
  },
  "a device that is denied": {
    codes: ["device-denied"],
    run: async () => {
      const { user_code } = await startDevice();
      return call(ALICE, "POST", "/auth/device/decision", { user_code, decision: "deny" });
    },
  },
  "a sign-out": { codes: ["signed-out"], run: () => call(ALICE, "POST", "/auth/logout") },
  "somebody's access that an administrator ends": {
    codes: ["pass-issued", "access-ended"],
    run: async () => {
      await call(ALICE, "POST", "/api/passes", {});
      return call(ADMIN, "POST", `/api/people/${encodeURIComponent(ALICE.id)}/end-access`);
    },
  },
};

describe("the audit log", () => {
  test("has no pass that stands where it does not belong, nor has a label", async () => {
    const { text: pass } = mintPass(randomBytes);
    for (const [path, body] of [
      ["/api/passes", { connection: pass }],
      ["/api/passes", { label: `mine: ${pass}` }],
      ["/auth/device", { label: pass }],
      [`/api/people/${pass}/end-access`, {}],
      ["/auth/device/decision", { user_code: pass, decision: "approve" }],
    ] as const)
      expect((await call(ADMIN, "POST", path, body)).status, path).toBeGreaterThanOrEqual(400);
    expect(deps.audited.codes()).toContain("pass-refused");
    for (const kept of [JSON.stringify(deps.audited.events), deps.log.join("")])
      expect(kept.includes(pass)).toBe(false);
  });

  test.each(Object.entries(DEEDS))("tells of %s, in valid OCSF", async (_name, { codes, run }) => {
    await run();
    expect(deps.audited.codes()).toEqual(codes);
    for (const event of deps.audited.events) {
      expect(faultsOf(JSON.parse(JSON.stringify(event))), JSON.stringify(event)).toEqual([]);
      expect(event.src_endpoint).toEqual({ ip: "192.0.2.7" });
      expect(event.actor?.user?.uid).toMatch(/^https:\/\/idp\.example\|(alice|dave)$/);
    }
  });

  test("says whose a pass is, what it opens, and why it was refused, and never its text", async () => {
    const issued = await call(ALICE, "POST", "/api/passes", { connection: "shop", label: "laptop" });
    const { id, pass } = (await issued.json()) as { id: string; pass: string };
    await call(ALICE, "POST", "/api/passes", { connection: "billing" });
    expect(deps.audited.events[0]).toMatchObject({
      activity_name: "Create",
      status: "Success",
      actor: { user: { uid: ALICE.id, groups: [{ name: "engineers" }] } },
      resources: [{ uid: id, type: "pass" }],
      unmapped: { owner: ALICE.id, connection: "shop", label: "laptop" },
    });
    expect(deps.audited.events[1]).toMatchObject({ status: "Failure", status_code: "connection-unknown" });
    expect(JSON.stringify(deps.audited.events)).not.toContain(pass);
  });

  test("says that a key was not registered after all", async () => {
    await DEEDS["a public key that is another's"]?.run();
    const [first, second, third] = deps.audited.events;
    expect([first?.status, second?.status, third?.status]).toEqual(["Success", "Success", "Failure"]);
    expect(third).toMatchObject({ status_code: "conflict", actor: { user: { uid: ADMIN.id } } });
  });

  test("tells of what people do when questions are only asked: nothing", async () => {
    for (const path of ["/api/me", "/api/passes", "/api/connections", "/api/ssh-keys"]) await call(ALICE, "GET", path);
    await app.request(`${BASE}/auth/logout`, { method: "POST", headers: { authorization: "Bearer x" } });
    expect(deps.audited.events).toEqual([]);
  });
});

describe("while the audit log cannot be written", () => {
  beforeEach(() => {
    deps.audited.down = true;
  });

  test("no pass is given out, and the error is an outage", async () => {
    const response = await call(ALICE, "POST", "/api/passes", {});
    expect([response.status, await response.json()]).toMatchObject([503, { code: "store-unavailable" }]);
  });

  test("no key is registered", async () => {
    expect((await call(ALICE, "POST", "/api/ssh-keys", { signature: await signature(ALICE) })).status).toBe(503);
    expect(await deps.sshKeys.listFor(ALICE.id)).toEqual([]);
  });

  test("no device is approved, and one that was approved before gets no session", async () => {
    const { user_code, device_code } = await startDevice();
    const decision = { user_code, decision: "approve" };
    expect((await call(ALICE, "POST", "/auth/device/decision", decision)).status).toBe(503);
    expect(await (await token(device_code)).json()).toMatchObject({ error: "authorization_pending" });
    deps.audited.down = false;
    await call(ALICE, "POST", "/auth/device/decision", decision);
    deps.audited.down = true;
    deps.advance(60_000);
    expect(await (await token(device_code)).json()).toMatchObject({ code: "store-unavailable" });
  });

  test("what is taken away is taken away all the same, and whoever asked is told that it is not written", async () => {
    deps.audited.down = false;
    const id = await idOf(await call(ALICE, "POST", "/api/passes", {}));
    const other = await idOf(await call(ALICE, "POST", "/api/passes", {}));
    const key = await idOf(await call(ALICE, "POST", "/api/ssh-keys", { signature: await signature(ALICE) }));
    deps.audited.down = true;
    const ended = `/api/people/${encodeURIComponent(ALICE.id)}/end-access`;
    expect((await call(ALICE, "DELETE", `/api/passes/${id}`)).status).toBe(503);
    expect((await call(ALICE, "DELETE", `/api/ssh-keys/${key}`)).status).toBe(503);
    expect((await call(ADMIN, "POST", ended)).status).toBe(503);
    for (const pass of [id, other]) expect((await deps.passes.get(pass as never))?.revokedAt).toBeDefined();
    expect(await deps.sshKeys.listFor(ALICE.id)).toEqual([]);
  });

  test("a refusal is told as the refusal that it is", async () => {
    expect((await call(ALICE, "POST", "/api/passes", { connection: "billing" })).status).toBe(404);
    expect(deps.log.join("")).toContain("a refusal is in no audit log");
  });
});

describe("signing in by a browser", () => {
  test("is written, failed or not, and without that there is no session", async () => {
    const house = await startInstallation();
    try {
      const alice = { user: "alice@shop.example", password: DEMO_PASSWORD };
      await signInOverHttp(house.baseUrl, alice);
      expect(house.deps.audited.events[0]).toMatchObject({
        class_uid: 3002,
        activity_name: "Logon",
        auth_protocol: "OpenID",
        user: { name: "alice@shop.example" },
        src_endpoint: { ip: "127.0.0.1" },
      });
      expect(house.deps.audited.events.flatMap((event) => faultsOf(JSON.parse(JSON.stringify(event))))).toEqual([]);
      house.deps.audited.down = true;
      await expect(signInOverHttp(house.baseUrl, alice)).rejects.toThrow();
      expect(house.deps.audited.codes()).toEqual(["signed-in"]);
    } finally {
      await house.close();
    }
  });
});
