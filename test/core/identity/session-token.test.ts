import { randomBytes } from "node:crypto";
import { SignJWT, UnsecuredJWT, decodeJwt } from "jose";
import { describe, expect, test } from "vitest";
import type { Principal, PrincipalId } from "../../../core/identity/principal.ts";
import {
  SESSION_LIFETIME_MS,
  type TokenAuthority,
  type TokenUse,
  issueSessionToken,
  verifySessionToken,
} from "../../../core/identity/session-token.ts";
import type { TokenId } from "../../../core/ports/sign-in-store.ts";

const NOW = 1_800_000_000_000;
const authority: TokenAuthority = { issuer: "https://sallyport.example", key: randomBytes(32) };
const alice: Principal = {
  kind: "user",
  id: "https://idp.example|alice" as PrincipalId,
  name: "alice@shop.example",
  groups: ["engineers", "Prod ünïcode"],
};
const id = "9d3c" as TokenId;

const issue = (use: TokenUse = "web") => issueSessionToken(authority, use, alice, id, NOW);
const refused = { name: "SallyportError", code: "sign-in-required" };

describe("a session token", () => {
  test.each(["web", "cli"] as const)("gives back the principal that it was issued for (%s)", async (use) => {
    const verified = await verifySessionToken(authority, use, await issue(use), NOW + 1000);
    expect(verified).toEqual({ id, principal: alice, issuedAt: NOW, expiresAt: NOW + SESSION_LIFETIME_MS });
  });

  test("tells when it was issued to the millisecond, and never lives longer for it", async () => {
    for (const now of [NOW + 1, NOW + 499, NOW + 999]) {
      const token = await issueSessionToken(authority, "web", alice, id, now);
      expect((await verifySessionToken(authority, "web", token, now)).issuedAt).toBe(now);
      await expect(verifySessionToken(authority, "web", token, now + SESSION_LIFETIME_MS)).rejects.toMatchObject(
        refused,
      );
    }
  });

  test("is good to the last second of its eight hours and not beyond", async () => {
    const token = await issue();
    const end = NOW + SESSION_LIFETIME_MS;
    await expect(verifySessionToken(authority, "web", token, end - 1000)).resolves.toBeDefined();
    await expect(verifySessionToken(authority, "web", token, end)).rejects.toMatchObject(refused);
  });

  test("of the cookie is no bearer token, and the other way round", async () => {
    await expect(verifySessionToken(authority, "cli", await issue("web"), NOW)).rejects.toMatchObject(refused);
    await expect(verifySessionToken(authority, "web", await issue("cli"), NOW)).rejects.toMatchObject(refused);
  });

  test("of another installation, or signed with another key, is refused", async () => {
    const token = await issue();
    for (const other of [
      { ...authority, issuer: "https://other.example" },
      { ...authority, key: randomBytes(32) },
    ])
      await expect(verifySessionToken(other, "web", token, NOW)).rejects.toMatchObject(refused);
  });

  test("is refused after any change to any of its bytes", async () => {
    const token = await issue();
    for (let at = 0; at < token.length; at++) {
      // The last character of the signature carries two unused bits: only the first of four is canonical.
      const changed = token.slice(0, at) + (token[at] === "A" ? "Q" : "A") + token.slice(at + 1);
      await expect(verifySessionToken(authority, "web", changed, NOW)).rejects.toMatchObject(refused);
    }
  });

  const payload = { kind: "user", name: "eve", groups: ["admins"] };
  const forged = (typ: string, claims: object, issuer = authority.issuer) =>
    new SignJWT({ ...payload, ...claims })
      .setProtectedHeader({ alg: "HS256", typ })
      .setIssuer(issuer)
      .setAudience(`${authority.issuer}#web`)
      .setExpirationTime(Math.floor(NOW / 1000) + 60)
      .sign(authority.key);
  const TYP = "sallyport-session+jwt";

  test.each<[string, () => string | Promise<string>]>([
    ["nothing", () => ""],
    ["dots", () => ".."],
    ["a megabyte", () => "a".repeat(1 << 20)],
    ["an unsigned token", () => new UnsecuredJWT({ ...payload, sub: "x", jti: "y" }).encode()],
    ["a token of another type, signed with the same key", () => forged("JWT", { sub: "x", jti: "y" })],
    ["a token of another issuer for us", () => forged(TYP, { sub: "x", jti: "y" }, "https://other.example")],
    ["a token without a subject", () => forged(TYP, { jti: "y" })],
    ["a token without an id", () => forged(TYP, { sub: "x" })],
    ["a token whose groups are no list", () => forged(TYP, { sub: "x", jti: "y", groups: "admins" })],
    ["a token of an unknown kind", () => forged(TYP, { sub: "x", jti: "y", kind: "root" })],
  ])("is not %s", async (_what, make) => {
    await expect(verifySessionToken(authority, "web", await make(), NOW)).rejects.toMatchObject(refused);
  });

  test("carries no more than who it is", async () => {
    expect(Object.keys(decodeJwt(await issue())).toSorted()).toEqual(
      ["aud", "exp", "groups", "iat", "iss", "jti", "kind", "name", "sub"].toSorted(),
    );
  });

  test("that would not fit into a cookie is not issued, and the person is told why", async () => {
    const groups = Array.from({ length: 200 }, (_, index) => `group-with-a-long-name-${index}`);
    await expect(issueSessionToken(authority, "web", { ...alice, groups }, id, NOW)).rejects.toMatchObject({
      code: "sign-in-failed",
      message: expect.stringContaining("groups"),
    });
  });

  test.each([0, 16, 31, 33])("is neither issued nor verified with a key of %i bytes", async (bytes) => {
    const weak = { ...authority, key: new Uint8Array(bytes) };
    await expect(issueSessionToken(weak, "web", alice, id, NOW)).rejects.toMatchObject({
      code: "configuration-invalid",
    });
    await expect(verifySessionToken(weak, "web", await issue(), NOW)).rejects.toMatchObject({
      code: "configuration-invalid",
    });
  });
});
