import { describe, expect, it } from "vitest";
import { type ConnectionConfig, parseConnections } from "../../core/config/connections.ts";
import { SallyportError } from "../../core/errors.ts";
import type { Secrets } from "../../core/ports/secrets.ts";
import type { TokenFor } from "../../core/ports/target-tokens.ts";
import { secretSource, withSecret } from "../../gateway-task/target-secret.ts";

function connection(credentials: object, tls: object = {}): ConnectionConfig {
  const target = { host: "shop.internal", database: "shop", tls };
  const parsed = parseConnections({ connections: { shop: { protocol: "postgres", target, credentials, access: [] } } });
  return parsed.get("shop") as ConnectionConfig;
}
const nowhere: Secrets = {
  get: async () => {
    throw new Error("no secret was to be read");
  },
};
const refused = new SallyportError("target-refused", "wrong password");

describe("what a connection logs in with", () => {
  it("is a token for the name that the target's certificate has, where it logs in by IAM", async () => {
    const asked: TokenFor[] = [];
    const targetTokens = { token: async (one: TokenFor) => `token ${asked.push(one)}` };
    const named = connection({ user: "app", iam: true, region: "eu-west-1" }, { serverName: "db.rds.example" });
    const source = secretSource({ secrets: nowhere, targetTokens }, named);
    expect([await source(), await source()]).toEqual(["token 1", "token 2"]);
    expect(asked[0]).toEqual({ host: "db.rds.example", port: 5432, user: "app", region: "eu-west-1" });
    await secretSource({ secrets: nowhere, targetTokens }, connection({ user: "app", iam: true }))();
    expect(asked.at(-1)).toEqual({ host: "shop.internal", port: 5432, user: "app", region: undefined });
  });

  it("is nothing outside AWS, where it logs in by IAM, and says so", async () => {
    const source = secretSource({ secrets: nowhere }, connection({ user: "app", iam: true }));
    await expect(source()).rejects.toMatchObject({
      code: "configuration-invalid",
      message: expect.stringContaining('"shop" logs in by IAM'),
      hint: expect.stringContaining("password"),
    });
  });

  it("is nothing where the target asks for nothing", async () => {
    expect(await secretSource({ secrets: nowhere }, connection({ user: "app" }))()).toBeUndefined();
  });

  it.each([
    ["iam in clear text", { user: "u", iam: true }, { mode: "disable" }, /need tls\.mode verify-full/],
    ["iam that is off", { user: "u", iam: false }, {}, /credentials/],
    ["iam and a password", { user: "u", iam: true, password: { secret: "s" } }, {}, /credentials/],
    ["a region without iam", { user: "u", region: "eu-west-1" }, {}, /credentials/],
    ["a region that is a host", { user: "u", iam: true, region: "evil.example/" }, {}, /credentials/],
  ])("is not %s", (_what, credentials, tls, message) => {
    expect(() => connection(credentials, tls)).toThrow(
      expect.objectContaining({ code: "configuration-invalid", message: expect.stringMatching(message) }),
    );
  });
});

describe("a log-in that is refused", () => {
  const tries = async (known: string, fresh: string | Error, right: string): Promise<string[]> => {
    const shown: string[] = [];
    const source = async (how?: "fresh"): Promise<string> => {
      if (how === undefined) return known;
      if (fresh instanceof Error) throw fresh;
      return fresh;
    };
    const loggedIn = withSecret(source, async (secret = "") => {
      shown.push(secret);
      if (secret !== right) throw refused;
      return "in";
    });
    shown.push(
      await loggedIn.catch((error: unknown) => {
        expect(error).toBe(refused);
        return "refused";
      }),
    );
    return shown;
  };

  it("is made again with the secret that it was rotated to, once", async () => {
    expect(await tries("old", "new", "new")).toEqual(["old", "new", "in"]);
    expect(await tries("old", "newer", "newest")).toEqual(["old", "newer", "refused"]);
  });

  it("is not made again with the same secret, or where no other can be read", async () => {
    expect(await tries("old", "old", "new")).toEqual(["old", "refused"]);
    expect(await tries("old", new SallyportError("store-unavailable", "down"), "new")).toEqual(["old", "refused"]);
  });

  it("is not made again for any other failure", async () => {
    const lost = new SallyportError("target-lost", "gone");
    let times = 0;
    const failing = withSecret(
      async (how) => how,
      async () => {
        times++;
        throw lost;
      },
    );
    await expect(failing).rejects.toBe(lost);
    expect(times).toBe(1);
  });
});
