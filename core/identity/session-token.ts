import { SignJWT, errors, jwtVerify } from "jose";
import { z } from "zod";
import type { Instant } from "../brand.ts";
import { SallyportError } from "../errors.ts";
import type { TokenId } from "../ports/sign-in-store.ts";
import type { Principal, PrincipalId } from "./principal.ts";

/** A working day: after it a person signs in again, so that lost group memberships take effect. */
export const SESSION_LIFETIME_MS = 8 * 60 * 60 * 1000;
/** HS256 demands at least the hash's own length (RFC 7518 §3.2). */
export const TOKEN_KEY_BYTES = 32;
/** A signed token longer than this would not fit into a cookie (RFC 6265 §6.1: 4,096 bytes with name and attributes). */
const MAX_TOKEN_LENGTH = 3_800;

/** Explicit typing (RFC 8725 §3.11): no other JWT signed with this key can pass for a session. */
const TOKEN_TYPE = "sallyport-session+jwt";

/** Where a token may be shown: `web` in the cookie, `cli` as a bearer token. One is refused in the other's place. */
export type TokenUse = "web" | "cli";

export interface TokenAuthority {
  /** The public base URL of this installation; the token's issuer. */
  readonly issuer: string;
  /** 32 secret bytes. */
  readonly key: Uint8Array;
}

export interface VerifiedToken {
  readonly id: TokenId;
  readonly principal: Principal;
  /** To the millisecond: what was issued before somebody's access was ended is told from what was issued right after it. */
  readonly issuedAt: Instant;
  readonly expiresAt: Instant;
}

const claims = z.object({
  sub: z.string().min(1),
  jti: z.string().min(1),
  iat: z.number(),
  exp: z.number(),
  kind: z.enum(["user", "service"]),
  name: z.string(),
  groups: z.array(z.string()),
});

/**
 * Signs a session for a principal.
 * @param id fresh and unguessable, such as a UUID; names the session when it is signed out
 * @returns a compact JWS (RFC 7515 §3.1). Throws `sign-in-failed` if it cannot fit into a cookie.
 */
export async function issueSessionToken(
  authority: TokenAuthority,
  use: TokenUse,
  principal: Principal,
  id: TokenId,
  now: Instant,
): Promise<string> {
  const token = await new SignJWT({ kind: principal.kind, name: principal.name, groups: [...principal.groups] })
    .setProtectedHeader({ alg: "HS256", typ: TOKEN_TYPE })
    .setIssuer(authority.issuer)
    .setAudience(audience(authority, use))
    .setSubject(principal.id)
    .setJti(id)
    // A NumericDate may have a fraction (RFC 7519 §2).
    .setIssuedAt(now / 1000)
    .setExpirationTime(Math.floor((now + SESSION_LIFETIME_MS) / 1000))
    .sign(checkedKey(authority));
  if (token.length <= MAX_TOKEN_LENGTH) return token;
  throw new SallyportError("sign-in-failed", "your account has more groups than a session can carry", {
    hint: "ask your administrator to send only the groups that matter here in the groups claim",
  });
}

/**
 * Whose session this is.
 * @param token what the client showed; any text
 * @returns the principal, the token's id and its end. Throws `sign-in-required` for anything that is not a live session.
 */
export async function verifySessionToken(
  authority: TokenAuthority,
  use: TokenUse,
  token: string,
  now: Instant,
): Promise<VerifiedToken> {
  const key = checkedKey(authority);
  if (token.length > MAX_TOKEN_LENGTH) throw signInRequired("this is not a session of ours");
  try {
    const { payload } = await jwtVerify(token, key, {
      algorithms: ["HS256"],
      typ: TOKEN_TYPE,
      issuer: authority.issuer,
      audience: audience(authority, use),
      currentDate: new Date(now),
    });
    const { sub, jti, iat, exp, kind, name, groups } = claims.parse(payload);
    const principal: Principal = { kind, id: sub as PrincipalId, name, groups };
    return { id: jti as TokenId, principal, issuedAt: Math.round(iat * 1000), expiresAt: exp * 1000 };
  } catch (thrown) {
    const expired = thrown instanceof errors.JWTExpired;
    throw signInRequired(expired ? "your session has expired" : "this is not a session of ours", thrown);
  }
}

/** What a request without a usable session is told. */
export function signInRequired(message = "you are not signed in", cause?: unknown): SallyportError {
  return new SallyportError("sign-in-required", message, { hint: "sign in, or run `sallyport login`", cause });
}

function audience(authority: TokenAuthority, use: TokenUse): string {
  return `${authority.issuer}#${use}`;
}

function checkedKey(authority: TokenAuthority): Uint8Array {
  if (authority.key.length === TOKEN_KEY_BYTES) return authority.key;
  throw new SallyportError("configuration-invalid", `the session key must have ${TOKEN_KEY_BYTES} bytes`);
}
