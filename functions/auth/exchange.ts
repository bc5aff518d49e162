import { randomBytes } from "node:crypto";
import type { Instant } from "../../core/brand.ts";
import { SallyportError } from "../../core/errors.ts";
import { demandMayAct, withActor } from "../../core/identity/actors.ts";
import {
  CALLER_IDENTITY_TYPE,
  callerArn,
  parseCallerIdentity,
  recogniseCaller,
} from "../../core/identity/caller-identity.ts";
import { mintPass, type PassText } from "../../core/identity/pass.ts";
import type { Principal, PrincipalId } from "../../core/identity/principal.ts";
import { type Recognised, recogniseToken } from "../../core/identity/service-rules.ts";
import type { Pass } from "../../core/ports/pass-store.ts";
import { siteOf } from "../shared/site.ts";
import { type Fetch, fetchBounded } from "./bounded-fetch.ts";
import type { AuthDeps } from "./deps.ts";
import { type IssuerKeys, issuerKeys } from "./issuer-keys.ts";
import { accessibleTo, statusOf, unlessEnded } from "./passes.ts";
import { type SubjectToken, verifySubjectToken } from "./subject-token.ts";

/** RFC 8693 §2.1 and §3. */
export const EXCHANGE_GRANT = "urn:ietf:params:oauth:grant-type:token-exchange";
export const PASS_TYPE = "urn:sallyport:params:oauth:token-type:pass";
export const JWT_TYPES: ReadonlySet<string> = new Set(
  ["jwt", "id_token", "access_token"].map((name) => `urn:ietf:params:oauth:token-type:${name}`),
);

/** STS answers within milliseconds, with about 300 bytes. */
const STS_BOUNDS = { timeoutMs: 5_000, maxBytes: 64 << 10 };
/** Runners of one service may be many; passes of a program that leaks them are more. */
const MAX_LIVE_PASSES = 1_000;
const MAX_CLIENT_ID = 255;
/** What a pass of an exchange is called in lists: as long as a label may be. */
const MAX_LABEL = 100;

interface ShownToken {
  readonly type: string;
  readonly text: string;
}

export interface ExchangeWish {
  readonly subject: ShownToken;
  readonly actor: ShownToken | undefined;
  /** The only connection that the pass shall open. */
  readonly connection: string | undefined;
}

interface Proven extends Recognised {
  readonly issuedAt: Instant;
  /** When the proof itself ends. */
  readonly expiresAt: Instant;
  /** Undefined of AWS identities. */
  readonly token: SubjectToken | undefined;
}

export interface Exchange {
  /**
   * A pass for whoever proves by somebody else's word who they are. Throws `sign-in-failed` for a proof that is not taken,
   * `access-denied` for one that nobody's rule is for, `connection-unknown`, `limit-exceeded`, `identity-provider-unavailable`.
   */
  issue(wish: ExchangeWish): Promise<{ pass: Pass; text: PassText }>;
}

export function exchange(deps: AuthDeps): Exchange {
  const fetching: Fetch = deps.fetch ?? ((url, init) => fetch(url, init));
  const keys = issuerKeys(fetching, deps.clock);
  const prove = (shown: ShownToken): Promise<Proven> =>
    shown.type === CALLER_IDENTITY_TYPE ? byCaller(deps, fetching, shown.text) : byToken(deps, keys, shown.text);
  return {
    issue: async ({ subject, actor, connection }) => {
      const proven = await prove(subject);
      const acting = actor === undefined ? undefined : await prove(actor);
      return issued(deps, acting === undefined ? actedByClient(proven) : actedBy(proven, acting), connection);
    },
  };
}

async function byToken(deps: AuthDeps, keys: IssuerKeys, text: string): Promise<Proven> {
  const token = await verifySubjectToken(deps.services(), keys, text, deps.clock());
  const { issuedAt, expiresAt } = token;
  return { ...recogniseToken(token.issuer, token.claims), issuedAt, expiresAt, token };
}

async function byCaller(deps: AuthDeps, fetching: Fetch, text: string): Promise<Proven> {
  const now = deps.clock();
  const request = parseCallerIdentity(text, siteOf(deps.baseUrl).origin, now);
  const { host: _host, ...headers } = request.headers;
  const init = { method: "POST", headers: { ...headers, accept: "application/json" }, body: request.body };
  const { status, text: answer } = await fetchBounded(fetching, request.url, init, STS_BOUNDS);
  if (status >= 500 || status === 429)
    throw new SallyportError("identity-provider-unavailable", `STS answers with status ${status}`, {
      hint: "try again in a minute",
    });
  if (status !== 200)
    throw new SallyportError("sign-in-failed", `STS does not take the signature (status ${status})`, {
      hint: "are the credentials of AWS still good, and is the clock right?",
    });
  const recognised = recogniseCaller(deps.services().awsIdentities, callerArn(answer));
  // Once, and only what STS has vouched for: nobody fills this memory with signatures of their own making.
  if (!(await deps.signIns.useOnce(request.once, request.expiresAt, now)))
    throw new SallyportError("sign-in-failed", "this GetCallerIdentity request was used before", {
      hint: "sign a new one for each pass",
    });
  return { ...recognised, issuedAt: now, expiresAt: Infinity, token: undefined };
}

/** The subject stays who it is; who acts for it is told beside it (RFC 8693 §1.1, delegation), and outlives neither proof. */
function actedBy(subject: Proven, actor: Proven): Proven {
  if (subject.token !== undefined && actor.token !== undefined)
    demandMayAct(
      { issuer: subject.token.issuer.issuer, claims: subject.token.claims },
      { issuer: actor.token.issuer.issuer, sub: String(actor.token.claims["sub"]) },
    );
  else if (subject.token !== undefined && Object.hasOwn(subject.token.claims, "may_act"))
    throw new SallyportError("access-denied", "the subject token's `may_act` names another actor");
  const actors = withActor(subject.principal.actors ?? [], actor.principal);
  const namesOf = ({ actorNames = [] }: Principal): readonly string[] => actorNames;
  const actorNames = [...namesOf(actor.principal), actor.principal.name, ...namesOf(subject.principal)];
  return {
    ...subject,
    principal: { ...subject.principal, actors, actorNames },
    issuedAt: Math.min(subject.issuedAt, actor.issuedAt),
    expiresAt: Math.min(subject.expiresAt, actor.expiresAt),
    maxPassMinutes: Math.min(subject.maxPassMinutes, actor.maxPassMinutes),
  };
}

/**
 * A person's token that names no actor is shown by whom it was issued to (OpenID Connect Core §2 `azp`, RFC 9068 §2.2 `client_id`): an agent's
 * pass is never the person's own. Throws `access-denied` where nothing tells.
 */
function actedByClient(proven: Proven): Proven {
  const { principal, token } = proven;
  if (principal.kind !== "user" || principal.actors !== undefined || token === undefined) return proven;
  const { claims, issuer } = token;
  const client = [claims["azp"], claims["client_id"]].find((one) => typeof one === "string" && one !== "");
  if (typeof client !== "string" || client.length > MAX_CLIENT_ID)
    throw new SallyportError("access-denied", "nothing tells who acts for the person of this token", {
      hint: "show the agent's own token beside it (actor_token), or have the issuer name it by act, azp or client_id",
    });
  demandMayAct({ issuer: issuer.issuer, claims }, { issuer: issuer.issuer, sub: client });
  return { ...proven, principal: { ...principal, actors: [`${issuer.issuer}|${client}` as PrincipalId] } };
}

async function issued(
  deps: AuthDeps,
  { principal, proof, maxPassMinutes, issuedAt: since, expiresAt: until }: Proven,
  connection: string | undefined,
): Promise<{ pass: Pass; text: PassText }> {
  const now = deps.clock();
  if (connection !== undefined && !accessibleTo(deps, principal).some(({ name }) => name === connection))
    throw new SallyportError(
      "connection-unknown",
      `there is no connection "${connection.slice(0, 64)}" for ${principal.name}`,
      {
        hint: "its `access` must name one of the groups of the rule that matched",
      },
    );
  const newest = await deps.passes.listFor(principal.id, MAX_LIVE_PASSES);
  if (newest.length === MAX_LIVE_PASSES && newest.every((pass) => statusOf(pass, now) === "live"))
    throw new SallyportError("limit-exceeded", `${principal.name} has ${MAX_LIVE_PASSES} live passes`);
  const expiresAt = Math.min(now + maxPassMinutes * 60_000, until);
  // The clocks' tolerance lets a token in that is over.
  if (!(now < expiresAt)) throw new SallyportError("sign-in-failed", "this token is not taken: it has expired");
  const { text, hash } = mintPass(randomBytes);
  const label = proof.length > MAX_LABEL ? `${proof.slice(0, MAX_LABEL - 1)}…` : proof;
  const pass = await deps.passes.issue({ principal, connection, label, hash, issuedAt: now, expiresAt });
  await unlessEnded(deps, pass, since);
  for (const actor of principal.actors ?? [])
    await unlessEnded(deps, { ...pass, principal: { ...principal, id: actor } }, since);
  deps.logger.info(
    { principal: principal.id, pass: pass.id, connection, proof, actors: principal.actors },
    "pass issued by exchange",
  );
  return { pass, text };
}
