import { type Context, Hono } from "hono";
import { passIssued, signInFailed } from "../../core/audit/account-events.ts";
import { type ErrorCode, SallyportError } from "../../core/errors.ts";
import { CALLER_IDENTITY_TYPE } from "../../core/identity/caller-identity.ts";
import { redactPasses } from "../../core/identity/pass.ts";
import type { PrincipalId } from "../../core/identity/principal.ts";
import { siteOf } from "../shared/site.ts";
import type { AuthDeps } from "./deps.ts";
import { attempted } from "./refusals.ts";
import { EXCHANGE_GRANT, type ExchangeWish, exchange, JWT_TYPES, PASS_TYPE } from "./exchange.ts";

/** Refused exchanges of one address, which may be a whole office's, and runs of its jobs that are set up wrong. */
const MAX_REFUSED = 50;
const REFUSED_WINDOW_MS = 10 * 60 * 1000;

/** RFC 6749 §5.2, RFC 8693 §2.2.2; the last two are of RFC 8628 §3.5 and RFC 6749 §4.1.2.1. */
type OAuthError =
  | "invalid_request"
  | "invalid_grant"
  | "unauthorized_client"
  | "unsupported_grant_type"
  | "invalid_target"
  | "slow_down"
  | "temporarily_unavailable";

const ERROR_OF: Partial<Record<ErrorCode, OAuthError>> = {
  "bad-request": "invalid_request",
  "sign-in-failed": "invalid_grant",
  "sign-in-required": "invalid_grant",
  "access-denied": "unauthorized_client",
  "connection-unknown": "invalid_target",
  "limit-exceeded": "slow_down",
  "identity-provider-unavailable": "temporarily_unavailable",
  "store-unavailable": "temporarily_unavailable",
};
/** §5.2 demands 400 for all but these. */
const OTHER_STATUS: Partial<Record<OAuthError, 429 | 503>> = { slow_down: 429, temporarily_unavailable: 503 };
/** What counts against an address: guesses and mistakes, not our own failures. */
const COUNTED: ReadonlySet<ErrorCode> = new Set([
  "bad-request",
  "sign-in-failed",
  "access-denied",
  "connection-unknown",
]);

/** Token exchange (RFC 8693): another issuer's token, or a signed request of AWS, for a pass. */
export function exchangeRoutes(deps: AuthDeps): Hono {
  const exchanging = exchange(deps);
  const { origin } = siteOf(deps.baseUrl);
  return new Hono().post("/oauth/token", async (c) => {
    c.header("Cache-Control", "no-store"); // RFC 6749 §5.1
    c.header("Pragma", "no-cache");
    const source = `exchange|${deps.clientAddress(c)}` as PrincipalId;
    try {
      await demandFewRefused(deps, source);
      const { pass, text } = await exchanging.issue(wishOf(await formOf(c), origin));
      await deps.audit(passIssued({ by: pass.principal, from: deps.clientAddress(c) }, pass, deps.clock()));
      return c.json({
        access_token: text,
        issued_token_type: PASS_TYPE,
        token_type: "N_A", // RFC 8693 §2.2.1: it is no access token, and never shown as one
        expires_in: Math.floor((pass.expiresAt - pass.issuedAt) / 1000),
        ...(pass.connection === undefined ? {} : { scope: pass.connection }),
        pass_id: pass.id,
      });
    } catch (thrown) {
      return refuse(c, deps, source, thrown);
    }
  });
}

async function demandFewRefused({ signIns, clock }: AuthDeps, source: PrincipalId): Promise<void> {
  if ((await signIns.wrongCodes(source, clock() - REFUSED_WINDOW_MS)) < MAX_REFUSED) return;
  throw new SallyportError("limit-exceeded", "too many exchanges from this address were refused", {
    hint: "try again in ten minutes",
  });
}

async function refuse(c: Context, deps: AuthDeps, source: PrincipalId, thrown: unknown): Promise<Response> {
  const known = thrown instanceof SallyportError ? ERROR_OF[thrown.code] : undefined;
  if (!(thrown instanceof SallyportError) || known === undefined) throw thrown; // a fault of ours: the app's handler tells it
  const now = deps.clock();
  if (COUNTED.has(thrown.code)) await deps.signIns.noteWrongCode(source, now, now - REFUSED_WINDOW_MS);
  deps.logger.warn(
    { address: deps.clientAddress(c), code: thrown.code, why: redactPasses(thrown.message) },
    "an exchange was refused",
  );
  // Our own failures are no deed of anybody's. Whose it would have been, nobody has proven.
  if (COUNTED.has(thrown.code)) await attempted(deps, signInFailed(deps.clientAddress(c), "oauth", thrown, now));
  const error = thrown instanceof UnsupportedGrant ? "unsupported_grant_type" : known;
  const body = {
    error,
    error_description: plain(thrown.message),
    code: thrown.code,
    ...(thrown.hint === undefined ? {} : { hint: thrown.hint }),
  };
  return c.json(body, OTHER_STATUS[error] ?? 400);
}

/** RFC 6749 §5.2: %x20-21 / %x23-5B / %x5D-7E. */
function plain(text: string): string {
  return text.replace(/"/g, "'").replace(/[^\x20-\x21\x23-\x5b\x5d-\x7e]/g, "?");
}

type Form = ReadonlyMap<string, string>;

/** RFC 6749 §3.2: a form, in which nothing stands twice. */
async function formOf(c: Context): Promise<Form> {
  const type = (c.req.header("content-type") ?? "").split(";", 1)[0]?.trim().toLowerCase();
  if (type !== "application/x-www-form-urlencoded") throw invalid("the body must be application/x-www-form-urlencoded");
  const form = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(await c.req.text())) {
    if (form.has(name)) throw invalid(`${name.slice(0, 64)} is given twice`);
    if (value !== "") form.set(name, value); // §3.2: without a value it is as if it were left out
  }
  return form;
}

function wishOf(form: Form, origin: string): ExchangeWish {
  const grant = form.get("grant_type");
  if (grant === undefined) throw invalid("grant_type is missing");
  if (grant !== EXCHANGE_GRANT) throw new UnsupportedGrant();
  const requested = form.get("requested_token_type");
  if (requested !== undefined && requested !== PASS_TYPE)
    throw invalid(`the only requested_token_type is ${PASS_TYPE}`);
  const subject = tokenOf(form, "subject");
  if (subject === undefined) throw invalid("subject_token and subject_token_type must be given");
  return { subject, actor: tokenOf(form, "actor"), connection: connectionOf(form, origin) };
}

function tokenOf(form: Form, whose: "subject" | "actor"): ExchangeWish["actor"] {
  const [text, type] = [form.get(`${whose}_token`), form.get(`${whose}_token_type`)];
  if (text === undefined && type === undefined) return undefined;
  if (text === undefined || type === undefined) throw invalid(`${whose}_token and ${whose}_token_type belong together`);
  if (JWT_TYPES.has(type) || type === CALLER_IDENTITY_TYPE) return { text, type };
  throw invalid(`${whose}_token_type must be one of ${[...JWT_TYPES, CALLER_IDENTITY_TYPE].join(", ")}`);
}

/** `audience` or `scope` is a connection's name, `resource` its URL (RFC 8693 §2.1); several must mean the same. */
function connectionOf(form: Form, origin: string): string | undefined {
  const resource = form.get("resource");
  const prefix = `${origin}/connections/`;
  if (resource !== undefined && !resource.startsWith(prefix)) throw invalid(`resource must be ${prefix}NAME`);
  const named = [form.get("audience"), form.get("scope"), resource?.slice(prefix.length)].filter(
    (one) => one !== undefined,
  );
  if (new Set(named).size > 1) throw invalid("audience, scope and resource name different connections");
  return named[0];
}

function invalid(message: string): SallyportError {
  return new SallyportError("bad-request", message);
}

class UnsupportedGrant extends SallyportError {
  constructor() {
    super("bad-request", `the only grant_type here is ${EXCHANGE_GRANT}`);
  }
}
