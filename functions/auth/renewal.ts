import { z } from "zod";
import type { Instant } from "../../core/brand.ts";
import type { Provider } from "../../core/config/identity.ts";
import { SESSION_LIFETIME_MS } from "../../core/identity/session-token.ts";
import type { Renewal } from "../../core/ports/sign-in-store.ts";
import { sealing } from "./sealed.ts";

/** What a provider has just told is not asked again at once: a script that opens ten connections asks once. */
export const FRESH_MS = 60_000;
const MINUTE_MS = 60_000;
/** Providers' refresh tokens have some hundred characters, some two thousand. */
const MAX_REFRESH_TOKEN = 16_384;

const renewal = z.object({ provider: z.string(), refreshToken: z.string().min(1).max(MAX_REFRESH_TOKEN) });

/** Until when the groups that a provider told of then may be relied on, where it cannot be asked without the person. */
export function freshAfterSignIn(by: Pick<Provider, "groupsMaxAgeMinutes">, toldAt: Instant): Instant {
  return toldAt + by.groupsMaxAgeMinutes * MINUTE_MS;
}

/** It rests in a table: whoever reads that must not be able to ask a provider in our name. */
const renewalSealing = sealing("sallyport-renewal", renewal, SESSION_LIFETIME_MS);

/**
 * @param signedInAt a sign-in is good for as long as a session: after it nobody is asked about the person any more
 * @returns undefined where there is no refresh token, or one of a length that nobody gives in earnest
 */
export async function sealRenewal(
  tokenKey: Uint8Array,
  provider: string,
  refreshToken: string | undefined,
  signedInAt: Instant,
): Promise<Renewal | undefined> {
  const kept = renewal.safeParse({ provider, refreshToken });
  if (!kept.success) return undefined;
  const sealed = await renewalSealing.seal(tokenKey, kept.data, signedInAt);
  return { sealed, expiresAt: signedInAt + SESSION_LIFETIME_MS };
}

/** Undefined for what we did not seal, or too long ago. */
export function openRenewal(
  tokenKey: Uint8Array,
  { sealed }: Renewal,
  now: Instant,
): Promise<z.infer<typeof renewal> | undefined> {
  return renewalSealing.open(tokenKey, sealed, now);
}
