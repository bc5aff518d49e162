import { X509Certificate } from "node:crypto";
import { parseXml2JsFromString } from "@node-saml/node-saml/lib/xml.js";
import { z } from "zod";
import { type SamlEndpoint, type SamlProvider, samlEndpoint } from "../../core/config/identity.ts";
import { SallyportError } from "../../core/errors.ts";
import { hasOnlyElements } from "./saml-xml.ts";

const REDIRECT = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect";

const keyDescriptor = z.object({
  $: z.object({ use: z.enum(["signing", "encryption"]).optional() }).optional(),
  KeyInfo: z.tuple([
    z.object({ X509Data: z.array(z.object({ X509Certificate: z.array(z.object({ _: z.string() })) })).default([]) }),
  ]),
});

/** What is read of a provider's metadata (SAML metadata §2.4.3), as xml2js puts it without prefixes. */
const idpMetadata = z.object({
  EntityDescriptor: z.object({
    $: z.object({ entityID: z.string() }),
    IDPSSODescriptor: z.tuple([
      z.object({
        KeyDescriptor: z.array(keyDescriptor).min(1),
        SingleSignOnService: z.array(z.object({ $: z.object({ Binding: z.string(), Location: z.string() }) })).min(1),
      }),
    ]),
  }),
});

/**
 * Where a provider is and what it signs with. Its metadata is trusted as it stands in the settings: a signature on it, its
 * `validUntil` and the dates of its certificates are not looked at (SAML metadata interoperability profile §2.6.1).
 * Throws `configuration-invalid`.
 */
export async function samlEndpointOf({ id, metadata }: SamlProvider): Promise<SamlEndpoint> {
  if (typeof metadata === "object") return checked(id, metadata);
  if (!hasOnlyElements(metadata)) throw invalid(id, "has a DOCTYPE, a comment or an instruction in its metadata");
  const parsed = await parseXml2JsFromString(metadata).catch((cause: unknown) => {
    throw invalid(id, "has metadata that is no XML", cause);
  });
  const read = idpMetadata.safeParse(parsed);
  if (!read.success)
    throw invalid(id, "has metadata that is not of one identity provider with keys and a sign-on service", read.error);
  const { $, IDPSSODescriptor } = read.data.EntityDescriptor;
  const [{ KeyDescriptor, SingleSignOnService }] = IDPSSODescriptor;
  const signing = KeyDescriptor.filter((key) => key.$?.use !== "encryption");
  const certificates = signing.flatMap(({ KeyInfo: [info] }) =>
    info.X509Data.flatMap(({ X509Certificate: all }) => all.map(({ _ }) => pemOf(_))),
  );
  const ssoUrl = SingleSignOnService.find((service) => service.$.Binding === REDIRECT)?.$.Location;
  if (ssoUrl === undefined) throw invalid(id, "has metadata without a sign-on service by HTTP-Redirect");
  return checked(id, { entityId: $.entityID, ssoUrl, certificates: [...new Set(certificates)] });
}

function checked(id: string, endpoint: SamlEndpoint): SamlEndpoint {
  const read = samlEndpoint.safeParse(endpoint);
  if (!read.success)
    throw invalid(id, read.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`).join("; "));
  for (const pem of read.data.certificates) demandStrongKey(id, pem);
  return read.data;
}

/** NIST SP 800-131A: shorter RSA keys are not to be used. Only RSA is verified (xml-crypto has no ECDSA). */
const MIN_RSA_BITS = 2048;

function demandStrongKey(id: string, pem: string): void {
  try {
    const { asymmetricKeyType, asymmetricKeyDetails } = new X509Certificate(pem).publicKey;
    if (asymmetricKeyType === "rsa" && (asymmetricKeyDetails?.modulusLength ?? 0) >= MIN_RSA_BITS) return;
  } catch (cause) {
    throw invalid(id, "has a certificate that is none", cause);
  }
  throw invalid(id, `must sign with an RSA key of at least ${MIN_RSA_BITS} bits`);
}

function pemOf(base64: string): string {
  const lines = base64.replaceAll(/\s+/g, "").match(/.{1,64}/g) ?? [];
  return ["-----BEGIN CERTIFICATE-----", ...lines, "-----END CERTIFICATE-----", ""].join("\n");
}

function invalid(id: string, what: string, cause?: unknown): SallyportError {
  return new SallyportError("configuration-invalid", `the identity provider "${id}" ${what}`, {
    hint: "See docs/identity.md.",
    cause,
  });
}
