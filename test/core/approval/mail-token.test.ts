import { randomBytes } from "node:crypto";
import { SignJWT } from "jose";
import { expect, test } from "vitest";
import { issueMailToken, verifyMailToken } from "../../../core/approval/mail-token.ts";
import type { PrincipalId } from "../../../core/identity/principal.ts";
import { issueSessionToken, verifySessionToken } from "../../../core/identity/session-token.ts";
import type { TokenId } from "../../../core/ports/sign-in-store.ts";
import { BOB, LIFETIME_MS, NOW, requested } from "../../setup/approvals.ts";

const authority = { issuer: "https://sallyport.example", key: randomBytes(32) };
const approval = requested();
const bob = { id: BOB.id, email: "Bob@shop.example", name: "Bob" };
const denied = { code: "access-denied" };

test("names the approval and the addressee, until the request ends", async () => {
  const token = await issueMailToken(authority, approval, bob);
  const read = { approval: approval.id, email: "bob@shop.example", person: BOB.id };
  expect(await verifyMailToken(authority, token, NOW)).toEqual(read);
  expect(await verifyMailToken(authority, token, NOW + LIFETIME_MS - 1)).toEqual(read);
  await expect(verifyMailToken(authority, token, NOW + LIFETIME_MS)).rejects.toMatchObject(denied);
});

test("fits into a link that survives a sign-in, whatever the person's id", async () => {
  const id = `https://idp.example|${"x".repeat(2_000)}` as PrincipalId;
  const token = await issueMailToken(authority, approval, { ...bob, id });
  expect(encodeURIComponent(`/approvals/by-mail?token=${token}`).length).toBeLessThan(1_024);
  expect(await verifyMailToken(authority, token, NOW)).toMatchObject({ person: undefined, email: "bob@shop.example" });
});

test("is refused when it is another key's, another installation's, changed, or no token at all", async () => {
  const token = await issueMailToken(authority, approval, bob);
  const [head, body, signature] = token.split(".");
  const forged = Buffer.from(JSON.stringify({ sub: "eve@shop.example" })).toString("base64url");
  for (const text of [`${head}.${forged}.${signature}`, `${head}.${body}.`, `${token}x`, "", "x", "a".repeat(5_000)])
    await expect(verifyMailToken(authority, text, NOW)).rejects.toMatchObject(denied);
  for (const other of [{ key: randomBytes(32) }, { issuer: "https://else.example" }])
    await expect(verifyMailToken({ ...authority, ...other }, token, NOW)).rejects.toMatchObject(denied);
});

test.each([
  ["type", { typ: "JWT" }],
  ["audience", { audience: `${authority.issuer}#web` }],
  ["issuer", { issuer: "https://else.example" }],
  ["end", { exp: undefined }],
  ["approval", { id: "" }],
])("is refused when our own key has signed it with another %s, or none", async (_what, over) => {
  const made = { typ: "sallyport-approval+jwt", audience: `${authority.issuer}#approval`, issuer: authority.issuer };
  const all = { ...made, exp: Math.ceil(approval.expiresAt / 1000), id: approval.id as string, ...over };
  const sign = ({ typ, audience, issuer, exp, id }: Omit<typeof all, "exp"> & { exp: number | undefined }) =>
    new SignJWT({ sub: "bob@shop.example", jti: id, ...(exp !== undefined && { exp }) })
      .setProtectedHeader({ alg: "HS256", typ })
      .setIssuer(issuer)
      .setAudience(audience)
      .sign(authority.key);
  await expect(verifyMailToken(authority, await sign(all), NOW)).rejects.toMatchObject(denied);
  const right = { ...all, ...made, exp: Math.ceil(approval.expiresAt / 1000), id: approval.id };
  expect(await verifyMailToken(authority, await sign(right), NOW)).toMatchObject({ approval: approval.id });
});

test("is no session, and no session is one of these", async () => {
  const token = await issueMailToken(authority, approval, bob);
  for (const use of ["web", "cli"] as const) {
    await expect(verifySessionToken(authority, use, token, NOW)).rejects.toMatchObject({ code: "sign-in-required" });
    const session = await issueSessionToken(authority, use, BOB, "x" as TokenId, NOW);
    await expect(verifyMailToken(authority, session, NOW)).rejects.toMatchObject(denied);
  }
});
