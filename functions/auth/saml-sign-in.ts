import { createPrivateKey, createHash, randomBytes, X509Certificate } from "node:crypto";
import { type SamlEndpoint, type SamlProvider, NAME_ID_FORMATS } from "../../core/config/identity.ts";
import { SallyportError } from "../../core/errors.ts";
import { type AssertedPerson, personFromAssertion } from "../../core/identity/saml-assertion.ts";
import type { Clock } from "../../core/ports/clock.ts";
import type { OnceId } from "../../core/ports/sign-in-store.ts";
import type { Site } from "../shared/site.ts";
import type { PendingSaml } from "./pending-sign-in.ts";
import type { ServiceProvider } from "./saml-response.ts";
import type { Prompt } from "./sign-in-ways.ts";

export interface SamlSignIn {
  /** Where to send the browser (SAML bindings §3.4: HTTP-Redirect), and what it must bring back. */
  begin(returnTo: string, prompt: Prompt): Promise<{ url: URL; pending: PendingSaml }>;
  /**
   * Whom a response tells of. That it is new and that it answers this browser's request is for the caller to see to.
   * @param encoded `SAMLResponse`, as it came
   * Throws `sign-in-failed` whenever anything is not exactly as it must be.
   */
  accept(encoded: string): Promise<AssertedPerson>;
  /** Our own metadata (SAML metadata §2.4.4), for the provider. */
  metadata(): Promise<string>;
}

/** The libraries of XML, not before somebody needs them: they take longer to load than all the rest of signing in. */
const xml = {
  endpointOf: async (provider: SamlProvider): Promise<SamlEndpoint> =>
    (await import("./saml-metadata.ts")).samlEndpointOf(provider),
  responses: () => import("./saml-response.ts"),
};

/** SAML bindings §3.4.3: at most 80 bytes. Unguessable, like the request's id. */
const RANDOM_BYTES = 20;

/**
 * The web browser SSO profile (SAML profiles §4.1) at one provider.
 * Every method throws `configuration-invalid` where `checkSamlProviders` would have.
 */
export function samlSignIn(provider: SamlProvider, site: Site, clock: Clock): SamlSignIn {
  const ours = serviceProviderOf(provider.id, site);
  let reading: Promise<SamlEndpoint> | undefined;
  const endpoint = (): Promise<SamlEndpoint> => (reading ??= xml.endpointOf(provider));
  return {
    begin: async (returnTo, prompt) => {
      const requestId = `_${randomBytes(RANDOM_BYTES).toString("hex")}`; // xs:ID begins with a letter or an underscore
      const relayState = randomBytes(RANDOM_BYTES).toString("base64url");
      const { samlOf } = await xml.responses();
      const saml = samlOf(provider, await endpoint(), ours, { id: requestId, forceAuthn: prompt === "login" });
      const url = new URL(await saml.getAuthorizeUrlAsync(relayState, undefined, {}));
      return { url, pending: { kind: "saml", provider: provider.id, requestId, relayState, returnTo } };
    },
    accept: async (encoded) => {
      const idp = await endpoint();
      const { verifyResponse } = await xml.responses();
      const { assertion, inResponseTo } = await verifyResponse(encoded, provider, idp, ours).catch(refuse);
      const person = personFromAssertion(assertion, {
        issuer: idp.entityId,
        audience: ours.entityId,
        recipient: ours.acsUrl,
        nameIdFormat: NAME_ID_FORMATS[provider.nameIdFormat],
        attributes: {
          groups: provider.groupsAttribute,
          email: provider.emailAttribute,
          name: provider.nameAttribute,
        },
        now: clock(),
      });
      if (inResponseTo === undefined || inResponseTo === person.inResponseTo) return person;
      return refuse(new Error("the response answers another request than its assertion"));
    },
    metadata: async () => {
      const { samlOf } = await xml.responses();
      const saml = samlOf(provider, await endpoint(), ours);
      return saml.generateServiceProviderMetadata(provider.decryption?.certificate ?? null);
    },
  };
}

/** What an assertion is remembered by: as long as providers choose, and still no longer than a key may be. */
export function onceIdOf(provider: string, assertionId: string, ...step: string[]): OnceId {
  return `saml:${createHash("sha256")
    .update(JSON.stringify([provider, assertionId, ...step]))
    .digest("hex")}` as OnceId;
}

/**
 * Looks at all that would otherwise be noticed when somebody signs in. Throws `configuration-invalid`, for metadata, certificates
 * and keys that are not what they should be, and for two providers that are the same one.
 */
export async function checkSamlProviders(providers: readonly SamlProvider[]): Promise<void> {
  const names = new Set<string>();
  for (const provider of providers) {
    const { entityId } = await xml.endpointOf(provider);
    if (names.has(entityId)) throw invalid(provider, `is ${entityId}, as another one is`);
    names.add(entityId);
    if (provider.decryption !== undefined) demandPair(provider, provider.decryption);
  }
}

function demandPair(provider: SamlProvider, { certificate, key }: { certificate: string; key: string }): void {
  try {
    if (new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key))) return;
  } catch (cause) {
    throw invalid(provider, "has a decryption key or certificate that cannot be read", cause);
  }
  throw invalid(provider, "has a decryption key that does not belong to its certificate");
}

function serviceProviderOf(id: string, site: Site): ServiceProvider {
  const base = `${site.origin}/auth/saml/${id}`;
  return { entityId: `${base}/metadata`, acsUrl: `${base}/acs` };
}

function invalid({ id }: SamlProvider, what: string, cause?: unknown): SallyportError {
  return new SallyportError("configuration-invalid", `the identity provider "${id}" ${what}`, {
    hint: "See docs/identity.md.",
    cause,
  });
}

/** Every refusal looks the same to whoever tries: what was wrong is for the log. */
function refuse(cause: unknown): never {
  throw new SallyportError("sign-in-failed", "the sign-in failed", { hint: "start again from the home page", cause });
}
