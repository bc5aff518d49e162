import { z } from "zod";
import { sealing } from "./sealed.ts";

/** Time to type a password and a second factor. */
export const PENDING_LIFETIME_MS = 10 * 60 * 1000;

const text = z.string().min(1);

const pendingOidc = z.object({
  kind: z.literal("oidc"),
  provider: text,
  state: text,
  nonce: text,
  verifier: text,
  begunAt: z.number(),
  returnTo: text,
});

const pendingSaml = z.object({
  kind: z.literal("saml"),
  provider: text,
  /** Of the AuthnRequest: what the assertion must answer. */
  requestId: text,
  /** What the provider must hand back with it. */
  relayState: text,
  returnTo: text,
});

/**
 * What the browser that started a sign-in must bring back: RFC 6749 §10.12, RFC 7636 §4.1, OpenID Connect Core §3.1.2.1; for
 * SAML profiles §4.1.4.3. One cookie, so that a browser has one sign-in under way.
 */
const pendingSignIn = z.discriminatedUnion("kind", [pendingOidc, pendingSaml]);
export type PendingSignIn = z.infer<typeof pendingSignIn>;
export type PendingOidc = z.infer<typeof pendingOidc>;
export type PendingSaml = z.infer<typeof pendingSaml>;

export const pendingSealing = sealing<PendingSignIn>("sallyport-pending-sign-in", pendingSignIn, PENDING_LIFETIME_MS);
