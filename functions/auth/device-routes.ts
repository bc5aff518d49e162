import { randomUUID } from "node:crypto";
import { Hono, type Context } from "hono";
import { z } from "zod";
import { deviceDecided, signedIn as deviceSignedIn } from "../../core/audit/account-events.ts";
import { grantWritten } from "../../core/audit/audit.ts";
import { SallyportError } from "../../core/errors.ts";
import { demandAccessSince } from "../../core/identity/access-end.ts";
import { requestDevice } from "../../core/identity/device-request.ts";
import {
  DEVICE_GRANT,
  DEVICE_LIFETIME_MS,
  MAX_WRONG_CODES,
  POLL_INTERVAL_SECONDS,
  type PollVerdict,
  WRONG_CODES_WINDOW_MS,
  devicePage,
  hashDeviceCode,
  isOpen,
  judgePoll,
  parseUserCode,
  showUserCode,
} from "../../core/identity/device-sign-in.ts";
import type { Principal } from "../../core/identity/principal.ts";
import { SESSION_LIFETIME_MS, issueSessionToken } from "../../core/identity/session-token.ts";
import type { DeviceRow, TokenId } from "../../core/ports/sign-in-store.ts";
import { type AuthenticatedEnv, authenticated } from "../shared/authenticated.ts";
import { label, readBody, readQuery } from "../shared/request.ts";
import { siteOf } from "../shared/site.ts";
import type { AuthDeps } from "./deps.ts";
import type { IssuingDeps } from "./as-of-now.ts";
import { decidedPage, enterCodePage, reviewPage } from "./device-pages.ts";
import { orSignInAgain } from "./sign-in-again.ts";

const UNNAMED_DEVICE = "a device without a name";
const typedCode = z.string().max(256);

export const deviceBody = z.object({ label: label.optional() });
const pageQuery = z.object({ user_code: typedCode.optional() });
const decisionBody = z.object({ user_code: typedCode, decision: z.enum(["approve", "deny"]) });
export const tokenBody = z.object({
  grant_type: z.string().max(256).optional(),
  device_code: z.string().max(256).optional(),
});

/**
 * The device authorization grant (RFC 8628), for `sallyport login`. Programs use POST /auth/device and POST /auth/token;
 * people GET /auth/device, signed in, and its form.
 */
export function deviceRoutes(deps: IssuingDeps): Hono<AuthenticatedEnv> {
  const { origin } = siteOf(deps.baseUrl);
  const signedIn = authenticated(deps);
  return new Hono<AuthenticatedEnv>()
    .post("/auth/device", async (c) => {
      const { label: named } = await readBody(c, deviceBody);
      const asking = {
        address: deps.clientAddress(c),
        label: named?.trim() || UNNAMED_DEVICE,
        connection: undefined,
      };
      const { deviceCode, userCode } = await requestDevice(deps.signIns, asking, deps.clock());
      return c.json({
        device_code: deviceCode,
        user_code: showUserCode(userCode),
        verification_uri: `${origin}/auth/device`,
        verification_uri_complete: devicePage(origin, showUserCode(userCode)),
        expires_in: DEVICE_LIFETIME_MS / 1000,
        interval: POLL_INTERVAL_SECONDS,
      });
    })
    .get("/auth/device", signedIn, async (c) => {
      const principal = c.get("principal");
      const { user_code } = readQuery(c, pageQuery);
      if (user_code === undefined) return c.html(enterCodePage(principal));
      // The provider is asked here already, so that nobody has to approve twice.
      return orSignInAgain(c, deps, devicePath(user_code), async () => {
        const now = await deps.asOfNow(principal);
        return c.html(reviewPage(now, await openRequest(deps, now, user_code), deps.clock()));
      });
    })
    .post("/auth/device/decision", signedIn, async (c) => {
      demandBrowser(c);
      const { user_code, decision } = await readBody(c, decisionBody);
      return orSignInAgain(c, deps, devicePath(user_code), () => decide(c, deps, user_code, decision));
    })
    .post("/auth/token", (c) => token(c, deps, origin));
}

type Decision = z.infer<typeof decisionBody>["decision"];

/** Whoever approves does it with the groups that they are in now; anybody may deny. */
async function decide(
  c: Context<AuthenticatedEnv>,
  deps: IssuingDeps,
  typed: string,
  decision: Decision,
): Promise<Response> {
  const approved = decision === "approve";
  const principal = approved ? await deps.asOfNow(c.get("principal")) : c.get("principal");
  const row = await openRequest(deps, principal, typed);
  // Asked again: the provider may have taken its time to answer.
  await demandAccessSince(deps.signIns, principal.id, c.get("token").issuedAt);
  const answer = approved ? ({ kind: "approved", principal } as const) : ({ kind: "denied" } as const);
  const asked = { by: principal, from: deps.clientAddress(c) };
  // An answer counts from the moment on in which it is there: it is written before that.
  await grantWritten(
    deps.audit,
    (failed) => deviceDecided(asked, row, approved, deps.clock(), failed),
    async () => {
      if (!(await deps.signIns.decideDevice(row.userCode, answer, deps.clock()))) throw unknownCode();
    },
  );
  deps.logger.info({ principal: principal.id, device: row.label, address: row.address, decision }, "device decided");
  return c.html(decidedPage(principal, decision));
}

/** Refuses (`access-denied`) a bearer token: a device that could let in another one would never have to sign in again. */
function demandBrowser(c: Context): void {
  if (c.req.header("authorization") === undefined) return;
  throw new SallyportError("access-denied", "a device is let in by a person in a browser, not by another device", {
    hint: "open the link that it shows",
  });
}

function devicePath(typed: string): string {
  return `/auth/device?${new URLSearchParams({ user_code: typed }).toString()}`;
}

/**
 * The request that a person may decide on. A code that is not there counts against the person (RFC 8628 §5.1): throws
 * `not-found`, and `limit-exceeded` after too many of them, also for a right code.
 */
async function openRequest(deps: AuthDeps, principal: Principal, typed: string): Promise<DeviceRow> {
  const now = deps.clock();
  const since = now - WRONG_CODES_WINDOW_MS;
  if ((await deps.signIns.wrongCodes(principal.id, since)) >= MAX_WRONG_CODES)
    throw new SallyportError("limit-exceeded", "too many wrong codes", { hint: "try again in ten minutes" });
  const code = parseUserCode(typed);
  const row = code && (await deps.signIns.findUserCode(code));
  if (isOpen(row, now)) return row;
  await deps.signIns.noteWrongCode(principal.id, now, since);
  throw unknownCode();
}

function unknownCode(): SallyportError {
  return new SallyportError("not-found", "no device waits with this code", {
    hint: "codes are good for ten minutes and for one decision; compare it with the one that your terminal shows",
  });
}

type TokenError = Exclude<PollVerdict, "approved"> | "invalid_request" | "unsupported_grant_type";

const TOKEN_ERRORS: Readonly<Record<TokenError, string>> = {
  authorization_pending: "nobody has decided yet",
  slow_down: "wait longer between two requests",
  access_denied: "the sign-in was denied",
  expired_token: "nobody decided in time; start again",
  invalid_grant: "this device code is unknown or was used",
  invalid_request: "grant_type and device_code must be given",
  unsupported_grant_type: `the only grant_type is ${DEVICE_GRANT}`,
};

/** RFC 8628 §3.4 and §3.5. */
async function token(c: Context, deps: AuthDeps, issuer: string): Promise<Response> {
  const refuse = (error: TokenError): Response => c.json({ error, error_description: TOKEN_ERRORS[error] }, 400);
  const { grant_type, device_code } = await readBody(c, tokenBody);
  if (grant_type === undefined || device_code === undefined) return refuse("invalid_request");
  if (grant_type !== DEVICE_GRANT) return refuse("unsupported_grant_type");
  const code = hashDeviceCode(device_code);
  if (code === undefined) return refuse("invalid_grant");
  const now = deps.clock();
  const row = await deps.signIns.findDevice(code);
  const verdict = judgePoll(row, await deps.signIns.notePoll(code, now), now);
  if (verdict !== "approved") return refuse(verdict);
  const principal = await deps.signIns.useDevice(code, now);
  if (principal === undefined) return refuse("invalid_grant");
  // What was asked for before somebody's access was ended is not given after it, whenever they approved it.
  const endedAt = await deps.signIns.notBefore(principal.id);
  if (row !== undefined && endedAt !== undefined && row.requestedAt <= endedAt) return refuse("access_denied");
  const authority = { issuer, key: deps.tokenKey };
  const access_token = await issueSessionToken(authority, "cli", principal, randomUUID() as TokenId, now);
  await deps.audit(deviceSignedIn({ by: principal, from: deps.clientAddress(c) }, "device", now));
  deps.logger.info({ principal: principal.id, address: deps.clientAddress(c) }, "a device signed in");
  return c.json({ access_token, token_type: "Bearer", expires_in: SESSION_LIFETIME_MS / 1000 });
}
