import { SignJWT, errors, jwtVerify } from "jose";
import { z } from "zod";
import type { Instant } from "../brand.ts";
import { SallyportError } from "../errors.ts";
import type { PrincipalId } from "../identity/principal.ts";
import type { TokenAuthority } from "../identity/session-token.ts";
import type { ApprovalId } from "../ports/approval-desk.ts";
import type { Addressee } from "./addressees.ts";
import { foldName } from "./same-person.ts";

/** Explicit typing (RFC 8725 §3.11): a link from a mail is good for nothing else, and nothing else is good for it. */
const TOKEN_TYPE = "sallyport-approval+jwt";
/** It comes back in an address that survives a sign-in (1,024 characters, functions/shared/return-path.ts). */
const MAX_TOKEN_LENGTH = 950;

/** Whom a link was sent to, and about what. It gives no right: who may decide is told by their own sign-in. */
export interface MailToken {
  readonly approval: ApprovalId;
  /** As it is compared. */
  readonly email: string;
  /** Undefined where they had not signed in when the mail was written. */
  readonly person: PrincipalId | undefined;
}

const claims = z.object({ jti: z.string().min(1), sub: z.string().min(1), person: z.string().min(1).optional() });

/** Signs the link of one addressee for one approval; it ends with the request. */
export async function issueMailToken(
  { issuer, key }: TokenAuthority,
  approval: { readonly id: ApprovalId; readonly expiresAt: Instant },
  { id, email }: Addressee,
): Promise<string> {
  const sign = (body: Record<string, string>): Promise<string> =>
    new SignJWT(body)
      .setProtectedHeader({ alg: "HS256", typ: TOKEN_TYPE })
      .setIssuer(issuer)
      .setAudience(`${issuer}#approval`)
      .setSubject(foldName(email))
      .setJti(approval.id)
      .setExpirationTime(Math.ceil(approval.expiresAt / 1000))
      .sign(key);
  const whole = await sign(id === undefined ? {} : { person: id });
  return whole.length <= MAX_TOKEN_LENGTH ? whole : sign({});
}

/** Whom this link was for. Throws `access-denied` for anything that is not a live link of ours. */
export async function verifyMailToken(
  { issuer, key }: TokenAuthority,
  token: string,
  now: Instant,
): Promise<MailToken> {
  if (token.length > MAX_TOKEN_LENGTH) throw noLink();
  try {
    const { payload } = await jwtVerify(token, key, {
      algorithms: ["HS256"],
      typ: TOKEN_TYPE,
      issuer,
      audience: `${issuer}#approval`,
      currentDate: new Date(now),
      requiredClaims: ["exp"],
    });
    const { jti, sub, person } = claims.parse(payload);
    return { approval: jti as ApprovalId, email: sub, person: person as PrincipalId | undefined };
  } catch (thrown) {
    throw noLink(thrown);
  }
}

function noLink(cause?: unknown): SallyportError {
  const expired = cause instanceof errors.JWTExpired;
  const message = expired ? "the request that this link was about has expired" : "this is not a link of ours";
  return new SallyportError("access-denied", message, { hint: "what waits for you is listed at /approvals", cause });
}
