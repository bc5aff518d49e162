import { createRemoteJWKSet, customFetch, type JWTVerifyGetKey } from "jose";
import { z } from "zod";
import type { TokenIssuer } from "../../core/config/services.ts";
import { SallyportError } from "../../core/errors.ts";
import { isPlainLoopback } from "../../core/identity/loopback.ts";
import { boundedMap } from "../../core/policy/bounded-map.ts";
import type { Clock } from "../../core/ports/clock.ts";
import { type Fetch, fetchBounded } from "./bounded-fetch.ts";

/** Whoever exchanges a token waits for it. */
const TIMEOUT_MS = 5_000;
/** Descriptions and key sets have a few kilobytes. */
const MAX_BYTES = 256 << 10;
const MAX_KEYS = 100;
/** How long a description and keys are used before they are read again. */
const DISCOVERY_LIFETIME_MS = 60 * 60 * 1000;
const KEYS_LIFETIME_MS = 10 * 60 * 1000;
/** Anybody may show tokens with made-up key ids: an issuer is asked again for those this often, and a failing one no more. */
const COOLDOWN_MS = 30_000;
const FAILURE_COOLDOWN_MS = 5_000;
/** As many as `services.yaml` may list, and those of the file before it. */
const MAX_ISSUERS = 100;

/** The keys of trusted issuers: read when first needed, kept, read again when an issuer has changed them. */
export type IssuerKeys = (issuer: Pick<TokenIssuer, "issuer" | "jwksUri">) => Promise<JWTVerifyGetKey>;

interface Kept {
  readonly keys: Promise<JWTVerifyGetKey>;
  readonly until: number;
}

/** The function throws `identity-provider-unavailable`, and so do the keys that it gives. */
export function issuerKeys(fetching: Fetch, clock: Clock): IssuerKeys {
  const kept = boundedMap<string, Kept>(MAX_ISSUERS);
  return (issuer) => {
    const key = JSON.stringify([issuer.issuer, issuer.jwksUri]);
    const known = kept.get(key);
    if (known !== undefined && clock() < known.until) return known.keys;
    const keys = keysOf(fetching, clock, issuer);
    kept.set(key, { keys, until: clock() + DISCOVERY_LIFETIME_MS });
    // A failure is kept for a moment only: neither does it last, nor does every caller ask again.
    keys.catch(() => kept.set(key, { keys, until: clock() + FAILURE_COOLDOWN_MS }));
    return keys;
  };
}

async function keysOf(
  fetching: Fetch,
  clock: Clock,
  issuer: Pick<TokenIssuer, "issuer" | "jwksUri">,
): Promise<JWTVerifyGetKey> {
  const url = issuer.jwksUri ?? (await discovered(fetching, issuer.issuer));
  let failedUntil = -Infinity;
  const ask = async (): Promise<Response> => {
    if (clock() < failedUntil) throw unavailable(issuer.issuer, "it has just failed");
    try {
      const { status, text } = await fetchBounded(fetching, url, asJson, {
        timeoutMs: TIMEOUT_MS,
        maxBytes: MAX_BYTES,
      });
      if (status !== 200 || !isKeySet(text)) throw unavailable(issuer.issuer, `its keys came with status ${status}`);
      return new Response(text, { status: 200, headers: { "content-type": "application/json" } });
    } catch (thrown) {
      failedUntil = clock() + FAILURE_COOLDOWN_MS;
      throw thrown;
    }
  };
  return createRemoteJWKSet(new URL(url), {
    cooldownDuration: COOLDOWN_MS,
    cacheMaxAge: KEYS_LIFETIME_MS,
    timeoutDuration: TIMEOUT_MS,
    [customFetch]: ask,
  });
}

const asJson = { method: "GET", headers: { accept: "application/json" } };
const keySet = z.object({ keys: z.array(z.unknown()).max(MAX_KEYS) });
const description = z.object({ issuer: z.string(), jwks_uri: z.string() });

function isKeySet(text: string): boolean {
  return keySet.safeParse(parsed(text)).success;
}

/** Where the keys are, by OpenID Connect Discovery 1.0 §4: the description must name the very issuer that it was asked of (§4.3). */
async function discovered(fetching: Fetch, issuer: string): Promise<string> {
  const url = `${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`;
  const { status, text } = await fetchBounded(fetching, url, asJson, { timeoutMs: TIMEOUT_MS, maxBytes: MAX_BYTES });
  const told = description.safeParse(parsed(text));
  if (status !== 200 || !told.success || told.data.issuer !== issuer)
    throw unavailable(issuer, "it does not describe itself");
  const keysAt = URL.parse(told.data.jwks_uri);
  const plain = keysAt !== null && isPlainLoopback(keysAt) && isPlainLoopback(new URL(issuer));
  if (keysAt === null || !(keysAt.protocol === "https:" || plain))
    throw unavailable(issuer, "it names no usable jwks_uri");
  return keysAt.href;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function unavailable(issuer: string, why: string): SallyportError {
  return new SallyportError(
    "identity-provider-unavailable",
    `the issuer ${issuer} does not answer as it should: ${why}`,
    {
      hint: "try again in a minute",
    },
  );
}
