import { Hono, type Context } from "hono";
import { deleteCookie, getCookie, setCookie } from "hono/cookie";
import { z } from "zod";
import { SallyportError } from "../../core/errors.ts";
import type { SignedIn } from "../../core/identity/home-realm.ts";
import type { AssertedPerson } from "../../core/identity/saml-assertion.ts";
import type { PrincipalId } from "../../core/identity/principal.ts";
import { demandSameOrigin } from "../shared/authenticated.ts";
import { readBody, readQuery } from "../shared/request.ts";
import { returnUrl } from "../shared/return-path.ts";
import { type Site, cookieName, cookieOptions, siteOf } from "../shared/site.ts";
import { notStartedHere, sendAway, startSession, takePending, toldBy } from "./browser-sign-in.ts";
import type { AuthDeps } from "./deps.ts";
import { loginQuery } from "./login-query.ts";
import { onceIdOf } from "./saml-sign-in.ts";
import { sealing } from "./sealed.ts";
import { confirmationPage } from "./sign-in-pages.ts";
import type { WaysToSignIn } from "./sign-in-ways.ts";

const ARRIVED_COOKIE = "sallyport-arrived";
/** A redirect, or a look at a page and a click. */
const ARRIVED_LIFETIME_MS = 2 * 60 * 1000;
/** RFC 6265 §6.1: 4,096 bytes with name and attributes. */
const MAX_COOKIE = 3_800;

/** Somebody whose assertion is good, but not yet known to belong to this browser. */
const arrived = z.object({
  provider: z.string(),
  id: z.string().transform((text) => text as PrincipalId),
  name: z.string(),
  groups: z.array(z.string()),
  email: z.string().optional(),
  issuedAt: z.number(),
  assertionId: z.string(),
  /** The request that was answered; without one it began at the provider, which allows that. */
  inResponseTo: z.string().optional(),
  relayState: z.string().optional(),
});
type Arrived = z.infer<typeof arrived>;
const arrivedSealing = sealing<Arrived>("sallyport-arrived", arrived, ARRIVED_LIFETIME_MS);

/** SAML bindings §3.5.4; other fields of the form are nobody's. */
const postedResponse = z.object({ SAMLResponse: z.string().min(1), RelayState: z.string().max(2048).optional() });

/**
 * SAML 2.0. A response comes as a form from the provider's site, so the browser withholds its cookies (SameSite=Lax). It is
 * judged there and then, put aside sealed, and taken up by a redirect, with which the cookies come: only then is it
 * compared with what this browser had asked for.
 */
export function samlRoutes(deps: AuthDeps, ways: WaysToSignIn): Hono {
  const site = siteOf(deps.baseUrl);
  return new Hono()
    .get("/auth/saml/:id/metadata", async (c) => {
      const metadata = await ways.saml(c.req.param("id")).signIn.metadata();
      return c.body(metadata, 200, { "Content-Type": "application/samlmetadata+xml" });
    })
    .get("/auth/saml/:id/start", async (c) => {
      const { signIn } = ways.saml(c.req.param("id"));
      const { return_to, prompt } = readQuery(c, loginQuery);
      return sendAway(c, deps, site, await signIn.begin(returnUrl(return_to ?? "/", site), prompt));
    })
    .post("/auth/saml/:id/acs", (c) => consume(c, deps, ways, site))
    .get("/auth/saml/:id/finish", (c) => finish(c, deps, ways, site))
    .post("/auth/saml/:id/finish", async (c) => {
      demandSameOrigin(c, site);
      const come = await openArrived(c, deps, site);
      if (come.inResponseTo !== undefined) notStartedHere();
      await takeUp(c, deps, ways, site, come);
      return c.redirect(startPage(come.relayState, site), 303);
    });
}

async function consume(c: Context, deps: AuthDeps, ways: WaysToSignIn, site: Site): Promise<Response> {
  const { id, provider, signIn } = ways.saml(c.req.param("id") ?? "");
  const posted = await readBody(c, postedResponse);
  const who = await toldBy(c, deps, provider, async () => {
    const person = await signIn.accept(posted.SAMLResponse);
    if (person.inResponseTo === undefined) demandWelcome(provider, posted.RelayState, site);
    await demandFirst(deps, id, person);
    return person;
  });
  const { principal, email, inResponseTo, issuedAt, assertionId } = who;
  const { id: personId, name, groups } = principal;
  const come: Arrived = { provider: id, id: personId, name, groups: [...groups], issuedAt, assertionId };
  const optional = { email, inResponseTo, relayState: posted.RelayState };
  const sealed = await arrivedSealing.seal(deps.tokenKey, { ...come, ...optional }, deps.clock());
  if (sealed.length > MAX_COOKIE)
    throw new SallyportError("sign-in-failed", "your account has more groups than a session can carry", {
      hint: "ask your administrator to send only the groups that matter here in the groups attribute",
    });
  setCookie(c, cookieName(site, ARRIVED_COOKIE), sealed, cookieOptions(site, ARRIVED_LIFETIME_MS));
  return c.redirect(`/auth/saml/${id}/finish`, 303);
}

async function finish(c: Context, deps: AuthDeps, ways: WaysToSignIn, site: Site): Promise<Response> {
  const come = await openArrived(c, deps, site);
  if (come.inResponseTo === undefined) return c.html(confirmationPage(come.name, `/auth/saml/${come.provider}/finish`));
  const pending = await takePending(c, deps, site);
  const answered =
    pending.kind === "saml" &&
    pending.provider === come.provider &&
    pending.requestId === come.inResponseTo &&
    pending.relayState === come.relayState;
  if (!answered) notStartedHere();
  await takeUp(c, deps, ways, site, come);
  return c.redirect(pending.returnTo, 303);
}

/** The end of a sign-in: an assertion makes one session, however often its sealed copy is shown. */
async function takeUp(c: Context, deps: AuthDeps, ways: WaysToSignIn, site: Site, come: Arrived): Promise<void> {
  deleteCookie(c, cookieName(site, ARRIVED_COOKIE), cookieOptions(site, 0));
  const now = deps.clock();
  const first = await deps.signIns.useOnce(
    onceIdOf(come.provider, come.assertionId, "taken up"),
    now + ARRIVED_LIFETIME_MS,
    now,
  );
  if (!first) notStartedHere();
  const { provider } = ways.saml(come.provider);
  const proof = { by: provider, since: come.issuedAt, toldAt: come.issuedAt, refreshToken: undefined };
  await startSession(c, deps, site, signedIn(come), proof);
}

async function openArrived(c: Context, deps: AuthDeps, site: Site): Promise<Arrived> {
  const sealed = getCookie(c, cookieName(site, ARRIVED_COOKIE));
  const come = sealed === undefined ? undefined : await arrivedSealing.open(deps.tokenKey, sealed, deps.clock());
  return come !== undefined && come.provider === c.req.param("id") ? come : notStartedHere();
}

function signedIn({ id, name, groups, email }: Arrived): SignedIn {
  return { principal: { kind: "user", id, name, groups }, email };
}

/** An assertion that nobody asked for is taken only where the settings say so. Throws `sign-in-failed`, or `bad-request`. */
function demandWelcome(
  provider: { readonly kind: string; readonly allowIdpInitiated?: boolean },
  relayState: string | undefined,
  site: Site,
): void {
  if (provider.allowIdpInitiated !== true)
    throw new SallyportError("sign-in-failed", "a sign-in has to start here, not at the identity provider", {
      hint: "start again from the home page",
    });
  startPage(relayState, site);
}

/** Where a sign-in that began at the provider leads to: a page of ours, or home. Throws `bad-request` for anywhere else. */
function startPage(relayState: string | undefined, site: Site): string {
  if (relayState === undefined || relayState === "") return returnUrl("/", site);
  return returnUrl(relayState.startsWith(`${site.origin}/`) ? relayState.slice(site.origin.length) : relayState, site);
}

/** SAML profiles §4.1.4.5: an assertion is good for one use, whoever shows it, until it has expired. */
async function demandFirst(deps: AuthDeps, provider: string, person: AssertedPerson): Promise<void> {
  const id = onceIdOf(provider, person.assertionId);
  if (await deps.signIns.useOnce(id, person.expiresAt, deps.clock())) return;
  throw new SallyportError("sign-in-failed", "the sign-in failed", {
    hint: "start again from the home page",
    cause: new Error("the assertion was used before"),
  });
}
