import { createRemoteJWKSet, errors, jwtVerify } from "jose";
import type { JWTVerifyGetKey, JWTVerifyOptions } from "jose";
import * as openid from "openid-client";
import { SallyportError } from "../../core/errors.ts";
import { emailFromClaims, principalFromClaims } from "../../core/identity/oidc-claims.ts";
import { DEFAULT_PROVIDER_ID, type OidcProvider } from "../../core/config/identity.ts";
import type { SignedIn } from "../../core/identity/home-realm.ts";
import type { Clock } from "../../core/ports/clock.ts";
import { type Site, isLoopback } from "../shared/site.ts";
import type { PendingOidc } from "./pending-sign-in.ts";
import type { Prompt } from "./sign-in-ways.ts";

const CALLBACK_PATH = "/auth/callback";

/** How long a provider's description is used before it is read again. */
const DISCOVERY_LIFETIME_MS = 60 * 60 * 1000;
/** Whoever signs in waits for it. */
const PROVIDER_TIMEOUT_SECONDS = 10;
const TOO_MANY_REQUESTS = 429;
/** Clocks differ. */
const CLOCK_TOLERANCE_SECONDS = 30;
/** An ID token that answers a question of now is of now (OpenID Connect Core §12.2: `iat`); Entra ID dates each five minutes back. */
const MAX_ANSWER_AGE_SECONDS = 600;
/** What a provider may sign ID tokens with: public-key algorithms only (RFC 8725 §3.1). */
export const SIGNATURE_ALGORITHMS = [
  "RS256",
  "RS384",
  "RS512",
  "PS256",
  "PS384",
  "PS512",
  "ES256",
  "ES384",
  "ES512",
  "EdDSA",
];

export interface OidcSignIn {
  /** Where to send the browser, and what it must bring back. Throws `identity-provider-unavailable`. */
  begin(returnTo: string, prompt: Prompt): Promise<{ url: URL; pending: PendingOidc }>;
  /**
   * Who came back.
   * @param query the query string of the callback, as it came
   * Throws `sign-in-failed` whenever anything is not exactly as it must be, or `identity-provider-unavailable`.
   */
  finish(query: string, pending: PendingOidc): Promise<OidcSignedIn>;
  /**
   * What the provider says now of somebody who has signed in (OpenID Connect Core §12). Who that is, the caller compares.
   * @param refreshToken the one that the last answer brought, which may be good for this one use
   * Throws `sign-in-failed` where the provider does not vouch for them any more, and `identity-provider-unavailable`, after which
   *   the token may be tried again.
   */
  renew(refreshToken: string): Promise<Renewed>;
}

/** The answer to a refresh token, which may be worth nothing from then on (RFC 9700 §4.14.2). */
interface Renewed {
  /** What the provider may be asked with next; undefined where it gave none. */
  readonly refreshToken: string | undefined;
  /**
   * Undefined where the answer has no ID token. Throws `sign-in-failed` where that is not as it must be, and
   * `identity-provider-unavailable` where nobody can tell, because the provider's keys are not to be had.
   */
  told(): Promise<SignedIn | undefined>;
}

interface OidcSignedIn extends SignedIn {
  /** What the provider may be asked with next; undefined where it gave none. */
  readonly refreshToken: string | undefined;
}

/**
 * Where a provider sends people back to. Each has an address of its own, so that one cannot pass off what another gave
 * (RFC 9700 §4.4.2.2); the default one keeps that of before there were several.
 */
export function callbackPath(providerId: string): string {
  return providerId === DEFAULT_PROVIDER_ID ? CALLBACK_PATH : `${CALLBACK_PATH}/${providerId}`;
}

interface Provider {
  readonly configuration: openid.Configuration;
  readonly issuer: string;
  readonly keys: JWTVerifyGetKey;
}

/**
 * The authorization code flow with PKCE (RFC 6749 §4.1, RFC 7636, OpenID Connect Core §3.1) at one provider.
 * The provider is asked on first use, not at start. Throws `configuration-invalid` for an issuer that cannot be trusted.
 */
export function oidcSignIn(config: OidcProvider, site: Site, clock: Clock): OidcSignIn {
  const issuer = issuerOf(config);
  const provider = remembered(clock, () => discover(issuer, config));
  const redirectUri = site.origin + callbackPath(config.id);
  const told = (from: Provider, claims: Claims): SignedIn => {
    const principal = principalFromClaims(from.issuer, claims, config.groupsClaim);
    return { principal, email: emailFromClaims(claims) };
  };
  return {
    begin: async (returnTo, prompt) => {
      const { configuration } = await provider();
      const verifier = openid.randomPKCECodeVerifier();
      const pending: PendingOidc = {
        kind: "oidc",
        provider: config.id,
        state: openid.randomState(),
        nonce: openid.randomNonce(),
        verifier,
        begunAt: clock(),
        returnTo,
      };
      const url = openid.buildAuthorizationUrl(configuration, {
        redirect_uri: redirectUri,
        scope: [...new Set(["openid", ...config.scopes])].join(" "),
        state: pending.state,
        nonce: pending.nonce,
        code_challenge: await openid.calculatePKCECodeChallenge(verifier),
        code_challenge_method: "S256",
        ...(prompt === undefined ? {} : { prompt }),
      });
      return { url, pending };
    },
    finish: async (query, pending) => {
      const found = await provider();
      const { claims, refreshToken } = await redeem(found, new URL(redirectUri + query), pending).catch(refuse);
      return { ...told(found, claims), refreshToken };
    },
    renew: async (refreshToken) => {
      const found = await provider();
      const answer = await openid.refreshTokenGrant(found.configuration, refreshToken).catch(refuseRenewal);
      const { id_token: idToken, refresh_token: next } = answer;
      const now = { maxTokenAge: MAX_ANSWER_AGE_SECONDS };
      return {
        refreshToken: next,
        told: async () => (idToken ? told(found, await verified(found, idToken, now).catch(refuse)) : undefined),
      };
    },
  };
}

type Claims = Readonly<Record<string, unknown>>;

interface Redeemed {
  readonly claims: Claims;
  readonly refreshToken: string | undefined;
}

/** The claims of an ID token of which everything was checked: state, code, nonce, issuer, audience, times, signature. */
async function redeem(provider: Provider, callback: URL, pending: PendingOidc): Promise<Redeemed> {
  const tokens = await openid.authorizationCodeGrant(provider.configuration, callback, {
    expectedState: pending.state,
    expectedNonce: pending.nonce,
    pkceCodeVerifier: pending.verifier,
    idTokenExpected: true,
  });
  return { claims: await verified(provider, tokens.id_token ?? ""), refreshToken: tokens.refresh_token };
}

/** openid-client trusts the connection to the token endpoint (OpenID Connect Core §3.1.3.7, 6.); we demand the signature too. */
async function verified(
  { configuration, issuer, keys }: Provider,
  idToken: string,
  more: Pick<JWTVerifyOptions, "maxTokenAge"> = {},
): Promise<Claims> {
  const { payload } = await jwtVerify(idToken, keys, {
    issuer,
    audience: configuration.clientMetadata().client_id,
    algorithms: SIGNATURE_ALGORITHMS,
    clockTolerance: CLOCK_TOLERANCE_SECONDS,
    ...more,
  });
  return payload;
}

function refuse(cause: unknown): never {
  if (cause instanceof SallyportError) throw cause;
  if (isGone(cause)) throw unavailable(cause);
  const denied = cause instanceof openid.AuthorizationResponseError && cause.error === "access_denied";
  throw new SallyportError("sign-in-failed", denied ? "the sign-in was cancelled" : "the sign-in failed", {
    hint: "start again from the home page",
    cause,
  });
}

/** There is nobody who answers. */
function isGone(cause: unknown): boolean {
  return cause instanceof TypeError || (cause instanceof openid.ClientError && cause.code === "OAUTH_TIMEOUT");
}

/** A provider that is down or busy says so by a status, with or without an error of RFC 6749 §5.2. */
function refuseRenewal(cause: unknown): never {
  const status = statusOf(cause);
  if (status !== undefined && (status >= 500 || status === TOO_MANY_REQUESTS)) throw unavailable(cause);
  return refuse(cause);
}

function statusOf(cause: unknown): number | undefined {
  if (cause instanceof openid.ResponseBodyError) return cause.status;
  return cause instanceof openid.ClientError && cause.cause instanceof Response ? cause.cause.status : undefined;
}

function unavailable(cause: unknown): SallyportError {
  return new SallyportError("identity-provider-unavailable", "the identity provider does not answer as it should", {
    hint: "try again in a minute",
    cause,
  });
}

function issuerOf(config: OidcProvider): URL {
  const url = URL.parse(config.issuer);
  // "|" separates issuer and subject in a principal's id.
  if (url && !config.issuer.includes("|") && (url.protocol === "https:" || isPlainLoopback(url))) return url;
  throw new SallyportError("configuration-invalid", "the OIDC issuer must be https, or http on loopback");
}

function isPlainLoopback(url: URL): boolean {
  return url.protocol === "http:" && isLoopback(url);
}

async function discover(issuer: URL, config: OidcProvider): Promise<Provider> {
  const insecure = isPlainLoopback(issuer);
  const configuration = await openid
    .discovery(
      issuer,
      config.clientId,
      { [openid.clockTolerance]: CLOCK_TOLERANCE_SECONDS },
      clientAuthentication(config.clientSecret),
      { timeout: PROVIDER_TIMEOUT_SECONDS, execute: insecure ? [openid.allowInsecureRequests] : [] },
    )
    .catch((cause: unknown) => {
      throw unavailable(cause);
    });
  const metadata = configuration.serverMetadata();
  const keysAt = URL.parse(metadata.jwks_uri ?? "");
  if (!keysAt || !(keysAt.protocol === "https:" || (insecure && isPlainLoopback(keysAt))))
    throw unavailable(new Error("the provider names no usable jwks_uri"));
  // No cooldown: an unknown key id comes out of an exchange of our own, once a sign-in, so nobody can make us ask more often.
  const published = createRemoteJWKSet(keysAt, {
    cooldownDuration: 0,
    timeoutDuration: PROVIDER_TIMEOUT_SECONDS * 1000,
  });
  const keys: JWTVerifyGetKey = async (header, token) => published(header, token).catch(unlessOfTheToken);
  return { configuration, issuer: metadata.issuer, keys };
}

/** Keys that are not to be had say nothing of a token; only those that are there can leave it without one. */
function unlessOfTheToken(cause: unknown): never {
  const ofTheToken = [errors.JWKSNoMatchingKey, errors.JWKSMultipleMatchingKeys, errors.JOSENotSupported];
  throw ofTheToken.some((kind) => cause instanceof kind) ? cause : unavailable(cause);
}

/** By HTTP Basic, which every provider must offer (RFC 6749 §2.3.1), or in the body where its metadata leaves that out. */
function clientAuthentication(secret: string): openid.ClientAuth {
  const [basic, post] = [openid.ClientSecretBasic(secret), openid.ClientSecretPost(secret)];
  return (server, client, body, headers) => {
    const methods = server.token_endpoint_auth_methods_supported ?? ["client_secret_basic"];
    const chosen = methods.includes("client_secret_basic") ? basic : post;
    return chosen(server, client, body, headers);
  };
}

/** Keeps the last success for an hour; a failure is not kept, so that the next caller tries again. */
function remembered<T>(clock: Clock, load: () => Promise<T>): () => Promise<T> {
  let kept: { value: Promise<T>; until: number } | undefined;
  return () => {
    if (kept === undefined || clock() >= kept.until) {
      const mine = { value: load(), until: clock() + DISCOVERY_LIFETIME_MS };
      mine.value.catch(() => (kept = kept === mine ? undefined : kept));
      kept = mine;
    }
    return kept.value;
  };
}
