import { z } from "zod";
import { SallyportError } from "../errors.ts";
import type { Secrets } from "../ports/secrets.ts";

/** More than anybody federates with; the whole list is read at every sign-in. */
const MAX_PROVIDERS = 32;
/** A company with many names. */
const MAX_DOMAINS = 256;
/** Metadata of one provider, some certificates long. A federation's whole list is megabytes, and is not what is meant. */
const MAX_METADATA = 128 * 1024;
/** A certificate of a 4,096-bit key has 2 to 3 KiB. */
const MAX_CERTIFICATE = 16 * 1024;
/** A provider that changes its key announces the next beside it. */
const MAX_CERTIFICATES = 8;

/** The provider of the `--oidc-…` options and the embedded one; it keeps the callback address of before there were several. */
export const DEFAULT_PROVIDER_ID = "oidc";

const secretRef = z.strictObject({
  /** Name of a secret in the deployment's secret store; the value itself never stands in the settings. */
  secret: z.string().min(1).max(512),
});

/** It stands in addresses that are registered at the provider. */
const providerId = z
  .string()
  .regex(/^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?$/, "lower-case letters, digits and hyphens, at most 32");

/** A domain of e-mail addresses: itself alone, without its subdomains. Letters of other scripts are written as punycode. */
const domain = z
  .string()
  .max(253)
  .transform((text) => text.toLowerCase())
  .pipe(
    z
      .string()
      .regex(
        /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/,
        "such as shop.example",
      ),
  );

/** Long enough to sign in and then to ask for a pass; whoever is told `sallyport login` for each pass stops reading why. */
export const DEFAULT_GROUPS_MAX_AGE_MINUTES = 5;
/** A session lives as long: nothing is issued on groups that are older than that. */
const MAX_GROUPS_AGE_MINUTES = 8 * 60;

/** Of a claim or an attribute. */
const fieldName = z.string().min(1).max(255);

const common = {
  id: providerId,
  /** Whose e-mail addresses it may vouch for, and who is sent to it; none: those that no other provider has. */
  domains: z.array(domain).max(MAX_DOMAINS).default([]),
  /** Put before every group that this provider tells of, so that a partner's `admins` are not yours. */
  groupPrefix: z.string().max(64).default(""),
  /**
   * How old, in minutes, the groups of a sign-in may be when something is issued on them, where the provider cannot be asked again
   * without the person: by SAML, and by OIDC without a refresh token.
   */
  groupsMaxAgeMinutes: z.int().min(1).max(MAX_GROUPS_AGE_MINUTES).default(DEFAULT_GROUPS_MAX_AGE_MINUTES),
};

const httpsOrLoopback = z
  .string()
  .max(2048)
  .refine((text) => isTrustworthy(text), "must be https, or http on loopback");

const oidcSettings = z.strictObject({
  ...common,
  kind: z.literal("oidc"),
  /** As the provider names itself. "|" separates issuer and subject in a principal's id. */
  issuer: httpsOrLoopback.refine((text) => !text.includes("|"), "must not contain a vertical bar"),
  clientId: z.string().min(1).max(512),
  clientSecret: secretRef,
  /** `openid` is always asked for. */
  scopes: z
    .array(z.string().regex(/^[!#-[\]-~]{1,255}$/))
    .max(32)
    .default(["openid", "email", "profile"]),
  /** The claim of the ID token that lists a person's groups. */
  groupsClaim: fieldName.default("groups"),
});

const pem = (what: string): z.ZodString =>
  z
    .string()
    .max(MAX_CERTIFICATE)
    .regex(
      new RegExp(`^\\s*-----BEGIN ${what}-----[A-Za-z0-9+/=\\s]+-----END ${what}-----\\s*$`),
      `must be one ${what} in PEM`,
    );

/** SAML core §8.3; a transient name is another one at each sign-in, so it names nobody. */
export const NAME_ID_FORMATS = {
  persistent: "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent",
  emailAddress: "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress",
  unspecified: "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified",
} as const;

/** What the provider's metadata would say. */
export const samlEndpoint = z.strictObject({
  /** "|" separates provider and name in a principal's id. */
  entityId: z
    .string()
    .min(1)
    .max(1024)
    .regex(/^[!-{}~]+$/, "must be a URI without a vertical bar"),
  /** Where the browser is sent to, by the HTTP-Redirect binding. */
  ssoUrl: httpsOrLoopback,
  certificates: z.array(pem("CERTIFICATE")).min(1).max(MAX_CERTIFICATES),
});

const samlSettings = z.strictObject({
  ...common,
  kind: z.literal("saml"),
  /** XML of the provider's metadata, or a secret that holds it, or what is needed of it. */
  metadata: z.union([z.string().min(1).max(MAX_METADATA), secretRef, samlEndpoint]),
  /** The form of name that the provider gives; no other is taken, so that two of them cannot be one person by accident. */
  nameIdFormat: z.enum(["persistent", "emailAddress", "unspecified"]).default("persistent"),
  groupsAttribute: fieldName.default("groups"),
  emailAttribute: fieldName.default("email"),
  nameAttribute: fieldName.default("displayName"),
  /** May a sign-in begin at the provider? */
  allowIdpInitiated: z.boolean().default(false),
  /** With it assertions may be encrypted. */
  decryption: z.strictObject({ certificate: pem("CERTIFICATE"), key: secretRef }).optional(),
});

const providers = z
  .array(z.discriminatedUnion("kind", [oidcSettings, samlSettings]))
  .min(1)
  .max(MAX_PROVIDERS)
  .superRefine((list, context) => {
    for (const message of conflicts(list)) context.addIssue({ code: "custom", message });
  });

/** The identity settings of a deployment: who may say who somebody is. */
const identitySettings = z.strictObject({ providers });
export type IdentitySettings = z.infer<typeof identitySettings>;
type ProviderSettings = IdentitySettings["providers"][number];

export type SamlEndpoint = z.infer<typeof samlEndpoint>;

/** An OpenID Connect provider, with its secret. */
export type OidcProvider = Readonly<Omit<z.infer<typeof oidcSettings>, "clientSecret">> & {
  readonly clientSecret: string;
};

/** A SAML 2.0 identity provider, with our key. */
export type SamlProvider = Readonly<Omit<z.infer<typeof samlSettings>, "metadata" | "decryption">> & {
  readonly metadata: string | SamlEndpoint;
  /** PEM. */
  readonly decryption: { readonly certificate: string; readonly key: string } | undefined;
};

export type Provider = OidcProvider | SamlProvider;

/**
 * @param value what a file or a variable holds, parsed
 * @param where it stands, for the message
 * Throws `configuration-invalid` that names every field that is wrong.
 */
export function parseIdentity(value: unknown, where: string): IdentitySettings {
  const result = identitySettings.safeParse(value);
  if (result.success) return result.data;
  const faults = result.error.issues.map(({ path, message }) => [path.join("."), message].filter(Boolean).join(": "));
  throw new SallyportError("configuration-invalid", `${where}: ${faults.slice(0, MAX_FAULTS).join("; ")}`);
}

/** Enough to go on with. */
const MAX_FAULTS = 8;

/** The providers with their secrets. Throws `configuration-invalid` that names the secret that is missing, or as the port does. */
export async function resolveIdentity(settings: IdentitySettings, secrets: Secrets): Promise<Provider[]> {
  return Promise.all(settings.providers.map((one) => resolveProvider(one, secrets)));
}

async function resolveProvider(one: ProviderSettings, secrets: Secrets): Promise<Provider> {
  const secret = (ref: { secret: string }): Promise<string> => secretOf(ref.secret, one.id, secrets);
  if (one.kind === "oidc") return { ...one, clientSecret: await secret(one.clientSecret) };
  const { metadata, decryption } = one;
  return {
    ...one,
    metadata: typeof metadata === "object" && "secret" in metadata ? await secret(metadata) : metadata,
    decryption: decryption && { certificate: decryption.certificate, key: await secret(decryption.key) },
  };
}

async function secretOf(name: string, provider: string, secrets: Secrets): Promise<string> {
  const text = await secrets.get(name).catch((cause: unknown) => {
    if (!(cause instanceof SallyportError && cause.code === "not-found")) throw cause;
    throw new SallyportError("configuration-invalid", `identity provider "${provider}": ${cause.message}`, { cause });
  });
  if (text !== "") return text;
  throw new SallyportError("configuration-invalid", `identity provider "${provider}": the secret "${name}" is empty`);
}

/** Two providers that could be taken for one another, or an address that two of them could vouch for. */
function* conflicts(list: readonly ProviderSettings[]): Generator<string> {
  const ids = list.map(({ id }) => id);
  yield* repeated(ids).map((id) => `two providers have the id "${id}"`);
  const names = list.flatMap((one) => nameOf(one) ?? []);
  yield* repeated(names).map((name) => `two providers are ${name}`);
  const domains = list.flatMap((one) => [...new Set(one.domains)]);
  yield* repeated(domains).map((name) => `the domain ${name} belongs to two providers`);
  const open = list.filter((one) => one.domains.length === 0);
  if (open.length > 1)
    yield `of several providers only one may be without domains, not ${open.map(({ id }) => id).join(" and ")}`;
}

/** Undefined where only the metadata tells: `samlEndpointOf` of functions/auth looks then. */
function nameOf(one: ProviderSettings): string | undefined {
  if (one.kind === "oidc") return one.issuer;
  return typeof one.metadata === "object" && "entityId" in one.metadata ? `saml:${one.metadata.entityId}` : undefined;
}

function repeated(texts: readonly string[]): string[] {
  return [...new Set(texts.filter((text, at) => texts.indexOf(text) !== at))];
}

const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/;

function isTrustworthy(text: string): boolean {
  const url = URL.parse(text);
  return url !== null && (url.protocol === "https:" || (url.protocol === "http:" && LOOPBACK.test(url.hostname)));
}
