import { decodeJwt, decodeProtectedHeader, errors, jwtVerify } from "jose";
import type { Instant } from "../../core/brand.ts";
import type { Services, TokenIssuer } from "../../core/config/services.ts";
import { SallyportError } from "../../core/errors.ts";
import type { IssuerKeys } from "./issuer-keys.ts";
import { SIGNATURE_ALGORITHMS } from "./oidc-sign-in.ts";

/** Those of GitHub and EKS have 1 to 2 kB; ones with many groups several. */
const MAX_TOKEN_CHARACTERS = 16_384;
/** Clocks differ. */
const CLOCK_TOLERANCE_SECONDS = 30;
/** Explicit typing (RFC 8725 §3.11): what was signed to be something else, such as a DPoP proof, is no token. */
const TYPES: ReadonlySet<string | undefined> = new Set([
  undefined,
  "jwt",
  "at+jwt",
  "application/at+jwt",
  "application/jwt",
]);

export interface SubjectToken {
  readonly issuer: TokenIssuer;
  readonly claims: Readonly<Record<string, unknown>>;
  readonly issuedAt: Instant;
  readonly expiresAt: Instant;
}

/**
 * A token of a trusted issuer of which everything was checked: issuer, signature, algorithm, audience, times (RFC 7519 §7.2,
 * RFC 8725). Throws `sign-in-failed`, which says what is wrong, or `identity-provider-unavailable`.
 */
export async function verifySubjectToken(
  services: Services,
  keys: IssuerKeys,
  token: string,
  now: Instant,
): Promise<SubjectToken> {
  const issuer = issuerOf(services, token);
  try {
    const { payload } = await jwtVerify(token, await keys(issuer), {
      issuer: issuer.issuer,
      audience: issuer.audience,
      algorithms: SIGNATURE_ALGORITHMS,
      clockTolerance: CLOCK_TOLERANCE_SECONDS,
      maxTokenAge: issuer.maxTokenAgeMinutes * 60,
      requiredClaims: ["sub", "iat", "exp"],
      currentDate: new Date(now),
    });
    const { iat = 0, exp = 0 } = payload;
    return { issuer, claims: payload, issuedAt: iat * 1000, expiresAt: exp * 1000 };
  } catch (thrown) {
    throw refusalOf(thrown, issuer, token);
  }
}

/** By what the token says of itself, which is proven only afterwards: with that issuer's keys. */
function issuerOf({ issuers }: Services, token: string): TokenIssuer {
  if (token.length > MAX_TOKEN_CHARACTERS) throw refusal(`it is longer than ${MAX_TOKEN_CHARACTERS} characters`);
  let iss: unknown;
  let typ: string | undefined;
  try {
    ({ iss } = decodeJwt(token));
    ({ typ } = decodeProtectedHeader(token));
  } catch (cause) {
    throw refusal("it is no JWT", cause);
  }
  if (!TYPES.has(typeof typ === "string" ? typ.toLowerCase() : typ))
    throw refusal("its `typ` is that of something else");
  const issuer = issuers.find((one) => one.issuer === iss);
  if (issuer !== undefined) return issuer;
  throw refusal(`its issuer ${shown(iss)} is not in services.yaml`);
}

function refusalOf(thrown: unknown, { issuer, audience }: TokenIssuer, token: string): SallyportError {
  if (thrown instanceof SallyportError) return thrown;
  if (thrown instanceof errors.JWTExpired)
    return refusal("it has expired, or is older than its issuer's tokens may be", thrown);
  if (thrown instanceof errors.JWTClaimValidationFailed) {
    const { claim } = thrown;
    if (claim === "aud")
      return refusal(`it is for ${shown(decodeJwt(token).aud)} (aud), and not for ${audience}`, thrown);
    return refusal(`its claim ${shown(claim)} is missing, or not as it must be`, thrown);
  }
  if (thrown instanceof errors.JOSEAlgNotAllowed) return refusal("it is not signed by a public-key algorithm", thrown);
  if (thrown instanceof errors.JWKSNoMatchingKey || thrown instanceof errors.JWKSMultipleMatchingKeys)
    return refusal(`${issuer} publishes no key that it is signed by`, thrown);
  if (thrown instanceof errors.JWKSTimeout || thrown instanceof errors.JWKSInvalid)
    return new SallyportError("identity-provider-unavailable", `${issuer} does not give its keys`, {
      hint: "try again in a minute",
      cause: thrown,
    });
  return refusal("its signature is not its issuer's", thrown);
}

/** What stands in a token, in a message. */
function shown(value: unknown): string {
  const text = typeof value === "string" ? value : (JSON.stringify(value) ?? "(absent)");
  return text.slice(0, 200);
}

function refusal(why: string, cause?: unknown): SallyportError {
  return new SallyportError("sign-in-failed", `this token is not taken: ${why}`, { cause });
}
