import type { TokenIssuer, TokenRule } from "../config/services.ts";
import { SallyportError } from "../errors.ts";
import { actorsFromClaims } from "./actors.ts";
import { matchesPattern } from "./claim-pattern.ts";
import { emailFromClaims } from "./oidc-claims.ts";
import type { Principal, PrincipalId } from "./principal.ts";

type Claims = Readonly<Record<string, unknown>>;

/** Who shows up by somebody else's proof, for how long at most, and what proved it, for the list of passes. */
export interface Recognised {
  readonly principal: Principal;
  readonly maxPassMinutes: number;
  readonly proof: string;
}

/** A claim's text is cut for messages: it is the issuer's, but its length is the workload's. */
const MAX_SHOWN = 120;
const MAX_SHOWN_CLAIMS = 12;
/** OpenID Connect Core §2. */
const MAX_SUBJECT = 255;
const MAX_CLAIM = 2_048;

/**
 * Who a validated token of a trusted issuer is: the first rule whose every pattern matches decides.
 * Throws `access-denied` where none does, and says what was seen; `sign-in-failed` for claims that are not what they should be.
 */
export function recogniseToken(issuer: TokenIssuer, claims: Claims): Recognised {
  const { sub } = claims;
  if (typeof sub !== "string" || sub === "" || sub.length > MAX_SUBJECT)
    throw new SallyportError("sign-in-failed", "the token names no subject (sub)");
  const rule = issuer.rules.find((one) => matches(one, claims));
  if (rule === undefined)
    throw new SallyportError("access-denied", `no rule of services.yaml matches this token: ${seen(issuer, claims)}`, {
      hint: `add a rule for it under the issuer ${issuer.issuer}, or ask whoever keeps the configuration to`,
    });
  const actors = actorsFromClaims(issuer.issuer, claims);
  const who = rule.service === undefined ? personOf(issuer, sub, claims) : serviceNamed(rule.service);
  return {
    principal: { ...who, groups: [...rule.groups], ...(actors.length === 0 ? {} : { actors }) },
    maxPassMinutes: rule.maxPassMinutes,
    proof: `${sub} by ${issuer.issuer}`,
  };
}

/** No issuer is called so: a service's id is never a person's. */
export function serviceNamed(name: string): Omit<Principal, "groups"> {
  return { kind: "service", id: `service|${name}` as PrincipalId, name };
}

function personOf(issuer: TokenIssuer, sub: string, claims: Claims): Omit<Principal, "groups"> {
  return { kind: "user", id: `${issuer.issuer}|${sub}` as PrincipalId, name: emailFromClaims(claims) ?? sub };
}

function matches({ match }: TokenRule, claims: Claims): boolean {
  return Object.entries(match).every(([claim, pattern]) =>
    textsOf(claims, claim).some((text) => text.length <= MAX_CLAIM && matchesPattern(pattern, text)),
  );
}

/** A claim with several values matches where one of them does. */
function textsOf(claims: Claims, claim: string): string[] {
  const value = Object.hasOwn(claims, claim) ? claims[claim] : undefined;
  return (Array.isArray(value) ? value : [value]).flatMap((one: unknown) =>
    typeof one === "string" || typeof one === "number" || typeof one === "boolean" ? [String(one)] : [],
  );
}

/** What rules of this issuer look at, and the subject: who holds the token can read them anyway. */
function seen(issuer: TokenIssuer, claims: Claims): string {
  const names = new Set(["sub", ...issuer.rules.flatMap(({ match }) => Object.keys(match))]);
  return [...names]
    .slice(0, MAX_SHOWN_CLAIMS)
    .map((name) => `${name}=${textsOf(claims, name).join(",").slice(0, MAX_SHOWN) || "(absent)"}`)
    .join(", ");
}
