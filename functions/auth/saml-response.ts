import { SAML, ValidateInResponseTo } from "@node-saml/node-saml";
import { decryptXml, parseDomFromString, parseXml2JsFromString, xpath } from "@node-saml/node-saml/lib/xml.js";
import { z } from "zod";
import type { SamlEndpoint, SamlProvider } from "../../core/config/identity.ts";
import { NAME_ID_FORMATS } from "../../core/config/identity.ts";
import { MAX_ASSERTION_AGE_MS, SAML_CLOCK_SKEW_MS } from "../../core/identity/saml-assertion.ts";
import { hasOnlyElements, hasOnlyKnownAlgorithms } from "./saml-xml.ts";

/** Our side of a provider: what stands in our metadata. */
export interface ServiceProvider {
  readonly entityId: string;
  /** The assertion consumer service: where assertions come to. */
  readonly acsUrl: string;
}

/** Of the response's base64. Larger than a request may be (shared/request.ts), so that one bound rules. */
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;

/** Elements of the largest response that makes sense: each costs the parsers and the canonicalisation time. */
const MAX_ELEMENTS = 4_000;
/** SAML nests some ten deep; canonicalisation recurses. */
const MAX_DEPTH = 64;

const SUCCESS = "urn:oasis:names:tc:SAML:2.0:status:Success";

/** What is read of the response around the assertion. It need not be signed, so it can only make us refuse. */
const envelope = z.object({
  Response: z.object({
    $: z.object({
      Version: z.literal("2.0"),
      Destination: z.string().optional(),
      InResponseTo: z.string().max(256).optional(),
    }),
    Issuer: z.tuple([z.object({ _: z.string() })]).optional(),
    Status: z.tuple([z.object({ StatusCode: z.tuple([z.object({ $: z.object({ Value: z.string() }) })]) })]),
  }),
});

/** Strict about everything that node-saml can be strict about. What it does not look at, `personFromAssertion` does. */
export function samlOf(
  { nameIdFormat, decryption }: SamlProvider,
  idp: SamlEndpoint,
  ours: ServiceProvider,
  request: { readonly id?: string; readonly forceAuthn?: boolean } = {},
): SAML {
  const { id, forceAuthn = false } = request;
  return new SAML({
    issuer: ours.entityId,
    callbackUrl: ours.acsUrl,
    audience: ours.entityId,
    entryPoint: idp.ssoUrl,
    idpIssuer: idp.entityId,
    idpCert: [...idp.certificates],
    identifierFormat: NAME_ID_FORMATS[nameIdFormat],
    wantAssertionsSigned: true,
    // Many providers sign the assertion alone; that is what everything is read from.
    wantAuthnResponseSigned: false,
    acceptedClockSkewMs: SAML_CLOCK_SKEW_MS,
    maxAssertionAgeMs: MAX_ASSERTION_AGE_MS,
    // It would ask a cache of this process. The browser's sealed cookie holds the request's id, and saml-routes.ts compares.
    validateInResponseTo: ValidateInResponseTo.never,
    disableRequestedAuthnContext: true,
    signatureAlgorithm: "sha256",
    forceAuthn,
    ...(id === undefined ? {} : { generateUniqueId: () => id }),
    ...(decryption === undefined ? {} : { decryptionPvk: decryption.key }),
  });
}

/** A response whose assertion is signed by the provider. */
export interface VerifiedResponse {
  /** The signed assertion as xml2js reads it. */
  readonly assertion: unknown;
  /** As the response around it says; it may be unsigned. */
  readonly inResponseTo: string | undefined;
}

/**
 * The assertion of a response, where the provider signed it. Throws an Error that says what is wrong, for the log.
 * @param encoded `SAMLResponse` of the HTTP-POST binding (SAML bindings §3.5.4): base64
 */
export async function verifyResponse(
  encoded: string,
  provider: SamlProvider,
  idp: SamlEndpoint,
  ours: ServiceProvider,
): Promise<VerifiedResponse> {
  const xml = textOf(encoded);
  demandPlain(xml, true);
  const { $, Issuer, Status } = envelope.parse(await parseXml2JsFromString(xml)).Response;
  if (Status[0].StatusCode[0].$.Value !== SUCCESS)
    throw new Error(`the provider says ${Status[0].StatusCode[0].$.Value}`);
  // SAML bindings §3.5.5.2 demands a Destination of signed responses; of others the signed Recipient says the same.
  if ($.Destination !== undefined && $.Destination !== ours.acsUrl)
    throw new Error("the response is for another address");
  if (Issuer !== undefined && Issuer[0]._ !== idp.entityId) throw new Error("another provider sent the response");
  await demandPlainInside(xml, provider);
  const saml = samlOf(provider, idp, ours);
  const { profile } = await saml.validatePostResponseAsync({ SAMLResponse: Buffer.from(xml).toString("base64") });
  const assertion = z.object({ Assertion: z.unknown() }).parse(profile?.getAssertion?.()).Assertion;
  return { assertion, inResponseTo: $.InResponseTo };
}

function textOf(encoded: string): string {
  const base64 = encoded.replaceAll(/[\r\n\t ]/g, "");
  if (!BASE64.test(base64) || base64.length % 4 !== 0) throw new Error("the response is no base64");
  return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.from(base64, "base64"));
}

/** Before any parser sees it. */
function demandPlain(xml: string, encrypted: boolean): void {
  if (!hasOnlyElements(xml)) throw new Error("the response has a DOCTYPE, a comment, CDATA or an instruction");
  if (!hasOnlyKnownAlgorithms(xml, encrypted)) throw new Error("the response names an algorithm that is not taken");
  let [depth, elements] = [0, 0];
  for (const [, closing, , empty] of xml.matchAll(/<(\/?)((?:[^<>"']|"[^"]*"|'[^']*')*?)(\/?)>/g)) {
    depth += closing === "/" ? -1 : empty === "/" ? 0 : 1;
    if (++elements > MAX_ELEMENTS * 2 || depth > MAX_DEPTH) throw new Error("the response has too many elements");
  }
}

/** The same for what is encrypted: whoever has our certificate can encrypt. */
async function demandPlainInside(xml: string, { decryption }: SamlProvider): Promise<void> {
  const document = await parseDomFromString(xml);
  const path = "/*[local-name()='Response']/*[local-name()='EncryptedAssertion']";
  const [encrypted, ...more] = xpath.selectElements(document, path);
  if (encrypted === undefined) return demandPlain(xml, false);
  if (decryption === undefined) throw new Error("the assertion is encrypted, and the settings have no key for it");
  if (more.length > 0) throw new Error("the response has more than one assertion");
  demandPlain(await decryptXml(encrypted.toString(), decryption.key), false);
}
