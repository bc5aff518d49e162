import { z } from "zod";
import { operation, type Paths, time } from "../openapi/operation.ts";
import { newPassBody } from "./api-routes.ts";
import { deviceBody, tokenBody } from "./device-routes.ts";
import { newKeyBody } from "./ssh-routes.ts";

const id = z.string();

const me = z.strictObject({
  id: z.string().meta({ description: "The issuer and the subject, with a bar between." }),
  kind: z.enum(["user", "service"]),
  name: z.string(),
  groups: z.array(z.string()),
  sessionExpiresAt: time,
});

const passFields = {
  id,
  connection: z.string().nullable().meta({ description: "The one that it opens; null: every one of its owner's." }),
  label: z.string(),
  issuedAt: time,
  expiresAt: time,
  revokedAt: time.nullable(),
  status: z.enum(["live", "expired", "revoked"]),
};
const pass = z.strictObject(passFields).meta({ id: "Pass" });
const newPass = z
  .strictObject({ ...passFields, pass: z.string().meta({ description: "Its text: told now and never again." }) })
  .meta({ id: "NewPass" });
const passes = z.strictObject({ passes: z.array(pass) });

const reached = { name: z.string(), description: z.string(), host: z.string() };
const connections = z.strictObject({
  connections: z.array(
    z.discriminatedUnion("protocol", [
      z.strictObject({ ...reached, protocol: z.literal("postgres"), port: z.int(), conninfo: z.string() }),
      z.strictObject({
        ...reached,
        protocol: z.literal("ssh"),
        port: z.int().nullable().meta({ description: "Null, as all that follows, while the gateway takes no SSH." }),
        command: z.string().nullable(),
        fingerprint: z.string().nullable(),
        knownHosts: z.string().nullable(),
      }),
    ]),
  ),
});

const sshKey = z
  .strictObject({ id, fingerprint: z.string(), type: z.string(), label: z.string(), registeredAt: time })
  .meta({ id: "SshKey" });
const sshKeys = z.strictObject({
  keys: z.array(sshKey),
  statement: z.string().meta({ description: "What to sign with a key to register it." }),
  namespace: z.string().meta({ description: "For `ssh-keygen -Y sign -n`." }),
});
const hostKey = z.strictObject({ publicKey: z.string(), fingerprint: z.string(), knownHosts: z.string() });

/** RFC 8628 §3.2. */
const device = z.strictObject({
  device_code: z.string(),
  user_code: z.string(),
  verification_uri: z.string(),
  verification_uri_complete: z.string(),
  expires_in: z.int(),
  interval: z.int(),
});
/** RFC 6749 §5.1, and §5.2 with RFC 8628 §3.5. */
const token = z.object({ access_token: z.string(), token_type: z.literal("Bearer"), expires_in: z.int() });
const tokenRefusal = z.strictObject({ error: z.string(), error_description: z.string() });

/** RFC 8693 §2.1; which of them are needed, the exchange says. */
const exchangeForm = z.looseObject({
  grant_type: z.string(),
  subject_token: z.string(),
  subject_token_type: z.string(),
  scope: z.string().optional(),
});
/** RFC 8693 §2.2.1. */
const exchanged = z.strictObject({
  access_token: z.string().meta({ description: "The pass: told now and never again." }),
  issued_token_type: z.string(),
  token_type: z.literal("N_A"),
  expires_in: z.int(),
  scope: z.string().optional(),
  pass_id: z.string(),
});
const exchangeRefusal = z.strictObject({
  error: z.string(),
  error_description: z.string(),
  code: z.string(),
  hint: z.string().optional(),
});
const refusedExchange = {
  description: "An error of RFC 6749 §5.2.",
  content: { "application/json": { schema: exchangeRefusal } },
};

const ended = z.strictObject({
  people: z.array(
    z.strictObject({ id: z.string(), name: z.string(), endedAt: time, passes: z.int(), sessions: z.int() }),
  ),
});

const byId = z.object({ id });

/** Signing in by programs, passes, connections and keys. */
export const AUTH_PATHS: Paths = {
  "/api/me": { get: operation({ summary: "Who I am", answer: me }) },
  "/api/passes": {
    get: operation({ summary: "My passes, newest first", answer: passes }),
    post: operation({
      summary: "A new pass",
      description: "What a native client shows as its password.",
      body: newPassBody,
      status: "201",
      answer: newPass,
      errors: ["connection-unknown", "limit-exceeded", "identity-provider-unavailable"],
    }),
  },
  "/api/passes/{id}": {
    delete: operation({
      summary: "Revoke a pass",
      description: "One's own; administrators, anyone's. Sessions that it opened end within seconds.",
      path: byId,
      answer: pass,
      errors: ["not-found"],
    }),
  },
  "/api/connections": { get: operation({ summary: "The connections that I may open", answer: connections }) },
  "/api/ca.pem": {
    get: operation({
      summary: "The certificate authority that vouches for the gateway",
      open: true,
      answer: ["application/x-pem-file", undefined],
    }),
  },
  "/api/ssh-keys": {
    get: operation({ summary: "My public keys", answer: sshKeys }),
    post: operation({
      summary: "Register a public key",
      body: newKeyBody,
      status: "201",
      answer: sshKey,
      errors: ["conflict", "limit-exceeded"],
    }),
  },
  "/api/ssh-keys/{id}": {
    delete: operation({ summary: "Remove a public key", path: byId, answer: sshKey, errors: ["not-found"] }),
  },
  "/api/ssh-host-key": {
    get: operation({ summary: "The gateway's host key", open: true, answer: hostKey, errors: ["not-found"] }),
  },
  "/auth/device": {
    post: operation({
      summary: "Begin a sign-in by another device",
      description: "The device authorization request of RFC 8628 §3.1.",
      open: true,
      body: deviceBody,
      answer: device,
      errors: ["limit-exceeded"],
    }),
  },
  "/auth/token": {
    post: operation({
      summary: "The token of a sign-in",
      description: "Errors of the request are those of RFC 6749 §5.2 and RFC 8628 §3.5, and no problems.",
      open: true,
      body: tokenBody,
      answer: token,
      others: {
        "400": {
          description: "Not yet, or not at all.",
          content: { "application/json": { schema: tokenRefusal } },
        },
      },
    }),
  },
  "/oauth/token": {
    post: operation({
      summary: "Exchange another issuer's token, or an identity of AWS, for a pass",
      description: "Token exchange of RFC 8693. The body is a form.",
      open: true,
      body: exchangeForm,
      answer: exchanged,
      others: { "400": refusedExchange, "429": refusedExchange, "503": refusedExchange },
    }),
  },
  "/api/people/{id}/end-access": {
    post: operation({
      summary: "End everything that somebody holds, at once",
      description: "For administrators: sign-ins, passes, live sessions and requests.",
      path: byId,
      answer: ended,
      errors: ["not-found"],
    }),
  },
  "/auth/saml/{id}/metadata": {
    get: operation({
      summary: "What a SAML identity provider must know of us",
      description: "Metadata of the service provider, by the id of the identity provider that it is for.",
      open: true,
      path: byId,
      answer: ["application/samlmetadata+xml", undefined],
      errors: ["not-found"],
    }),
  },
  "/auth/logout": {
    post: operation({
      summary: "Sign out",
      description: "Ends the session of the bearer token; a browser's form is sent on to a page.",
      open: true,
      status: "204",
      errors: ["access-denied"],
      others: { "303": { description: "Of a browser: to a page that says so." } },
    }),
  },
};
