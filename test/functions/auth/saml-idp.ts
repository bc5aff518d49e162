import { randomBytes, webcrypto } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { inflateRawSync } from "node:zlib";
// oxlint-disable-next-line import/no-unassigned-import -- a polyfill that the X.509 library looks for while it loads
import "reflect-metadata/lite";
import { X509CertificateGenerator } from "@peculiar/x509";
import type { SamlProvider } from "../../../core/config/identity.ts";

/** What we use of samlify. Its own types bring in the DOM's, which change those of every other file. */
interface Samlify {
  IdentityProvider(settings: Readonly<Record<string, unknown>>): object;
  ServiceProvider(settings: { readonly metadata: string }): { readonly entityMeta: ServiceMetadata };
  readonly SamlLib: {
    constructSAMLSignature(options: Readonly<Record<string, unknown>>): string;
    encryptAssertion(idp: object, sp: object, xml: string): Promise<string>;
  };
}
interface ServiceMetadata {
  getEntityID(): string;
  getAssertionConsumerService(binding: string): string;
  isWantAssertionsSigned(): boolean;
}
const require = createRequire(import.meta.url);
const samlify = require("samlify") as Samlify;

/** Our metadata as an identity provider reads it. */
export function readMetadata(metadata: string): ServiceMetadata {
  return samlify.ServiceProvider({ metadata }).entityMeta;
}

export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

/** An RSA key and a certificate of its own, PEM. */
export async function rsaPair(modulusLength = 2048): Promise<KeyPair> {
  const algorithm = {
    name: "RSASSA-PKCS1-v1_5",
    hash: "SHA-256",
    publicExponent: new Uint8Array([1, 0, 1]),
    modulusLength,
  };
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: "CN=idp",
    signingAlgorithm: algorithm,
    keys,
  });
  const key = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", keys.privateKey)).toString("base64");
  const lines = key.match(/.{1,64}/g) ?? [];
  return {
    cert: `${certificate.toString("pem")}\n`,
    key: ["-----BEGIN PRIVATE KEY-----", ...lines, "-----END PRIVATE KEY-----", ""].join("\n"),
  };
}

export const IDP_ENTITY = "https://idp.example/saml";
export const SSO_URL = "http://localhost:9/sso";

export function samlProvider(pair: KeyPair, over: Partial<SamlProvider> = {}): SamlProvider {
  return {
    kind: "saml",
    id: "corp",
    domains: [],
    groupPrefix: "",
    groupsMaxAgeMinutes: 5,
    metadata: { entityId: IDP_ENTITY, ssoUrl: SSO_URL, certificates: [pair.cert] },
    nameIdFormat: "persistent",
    groupsAttribute: "groups",
    emailAttribute: "email",
    nameAttribute: "displayName",
    allowIdpInitiated: false,
    decryption: undefined,
    ...over,
  };
}

/** What the browser brings to the identity provider. */
export interface Asked {
  readonly requestId: string;
  readonly relayState: string;
  /** The request itself. */
  readonly xml: string;
}

export function askedBy(location: URL): Asked {
  const deflated = Buffer.from(location.searchParams.get("SAMLRequest") ?? "", "base64");
  const xml = inflateRawSync(deflated).toString("utf8");
  return {
    requestId: / ID="([^"]+)"/.exec(xml)?.[1] ?? "",
    relayState: location.searchParams.get("RelayState") ?? "",
    xml,
  };
}

/** What an assertion says; each may be put differently. Times are milliseconds from now. */
export interface Told {
  readonly base: string;
  readonly inResponseTo?: string | undefined;
  /** Of the response around the assertion, where it is another. */
  readonly responseTo?: string | undefined;
  readonly assertionId?: string;
  readonly nameId?: string;
  readonly format?: string;
  readonly issuer?: string;
  readonly responseIssuer?: string;
  readonly audience?: string;
  readonly recipient?: string;
  readonly destination?: string;
  readonly status?: string;
  readonly method?: string;
  readonly issuedAt?: number;
  readonly notBefore?: number;
  readonly until?: number;
  readonly confirmedUntil?: number;
  readonly sessionUntil?: number;
  readonly attributes?: Readonly<Record<string, readonly string[]>>;
  /** Put in place of the whole element. */
  readonly conditions?: string;
  readonly confirmation?: string;
  readonly statement?: string;
}

export const PERSISTENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent";
export const BEARER = "urn:oasis:names:tc:SAML:2.0:cm:bearer";
const ALICE = { email: ["alice@shop.example"], displayName: ["Alice"], groups: ["engineers", "approvers"] };

const at = (ms: number): string => new Date(Date.now() + ms).toISOString();
const newId = (): string => `_${randomBytes(12).toString("hex")}`;

/** A whole response, not signed. */
export function responseXml(told: Told): string {
  const acs = `${told.base}/auth/saml/corp/acs`;
  const asked = told.inResponseTo === undefined ? "" : ` InResponseTo="${told.inResponseTo}"`;
  const answered =
    "responseTo" in told ? (told.responseTo === undefined ? "" : ` InResponseTo="${told.responseTo}"`) : asked;
  const session = told.sessionUntil === undefined ? "" : ` SessionNotOnOrAfter="${at(told.sessionUntil)}"`;
  const confirmation =
    told.confirmation ??
    `<saml:SubjectConfirmation Method="${told.method ?? BEARER}"><saml:SubjectConfirmationData NotOnOrAfter="${at(told.confirmedUntil ?? 300_000)}" Recipient="${told.recipient ?? acs}"${asked}/></saml:SubjectConfirmation>`;
  const conditions =
    told.conditions ??
    `<saml:Conditions NotBefore="${at(told.notBefore ?? -1000)}" NotOnOrAfter="${at(told.until ?? 300_000)}"><saml:AudienceRestriction><saml:Audience>${told.audience ?? `${told.base}/auth/saml/corp/metadata`}</saml:Audience></saml:AudienceRestriction></saml:Conditions>`;
  const attributes = Object.entries({ ...ALICE, ...told.attributes }).map(
    ([name, values]) =>
      `<saml:Attribute Name="${name}">${values.map((text) => `<saml:AttributeValue xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="xs:string">${text}</saml:AttributeValue>`).join("")}</saml:Attribute>`,
  );
  const statement =
    told.statement ??
    `<saml:AuthnStatement AuthnInstant="${at(0)}"${session}><saml:AuthnContext><saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:Password</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement>`;
  return `<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="${newId()}" Version="2.0" IssueInstant="${at(0)}" Destination="${told.destination ?? acs}"${answered}><saml:Issuer>${told.responseIssuer ?? IDP_ENTITY}</saml:Issuer><samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:${told.status ?? "Success"}"/></samlp:Status><saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="${told.assertionId ?? newId()}" Version="2.0" IssueInstant="${at(told.issuedAt ?? 0)}"><saml:Issuer>${told.issuer ?? IDP_ENTITY}</saml:Issuer><saml:Subject><saml:NameID Format="${told.format ?? PERSISTENT}">${told.nameId ?? "alice-7"}</saml:NameID>${confirmation}</saml:Subject>${conditions}${statement}<saml:AttributeStatement>${attributes.join("")}</saml:AttributeStatement></saml:Assertion></samlp:Response>`;
}

/** As it stands in XML. */
const bare = (cert: string): string => cert.replaceAll(/-----[^-]+-----|\s/g, "");

interface Signing {
  readonly part?: "Assertion" | "Response";
  readonly algorithm?: string;
}

/** The response with one part of it signed, by samlify. */
export function signed(xml: string, { cert, key }: KeyPair, { part = "Assertion", algorithm }: Signing = {}): string {
  const path = `/*[local-name(.)='Response']${part === "Response" ? "" : `/*[local-name(.)='${part}']`}`;
  return samlify.SamlLib.constructSAMLSignature({
    rawSamlMessage: xml,
    referenceTagXPath: path,
    privateKey: key,
    signingCert: bare(cert),
    signatureAlgorithm: algorithm ?? "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
    signatureConfig: { prefix: "ds", location: { reference: `${path}/*[local-name(.)='Issuer']`, action: "after" } },
    isBase64Output: false,
  });
}

/** The response with its assertion encrypted for whoever this metadata is of, by samlify. */
export async function encrypted(
  xml: string,
  pair: KeyPair,
  spMetadata: string,
  algorithms: { data?: string; key?: string } = {},
): Promise<string> {
  const idp = samlify.IdentityProvider({
    entityID: IDP_ENTITY,
    signingCert: bare(pair.cert),
    privateKey: pair.key,
    isAssertionEncrypted: true,
    dataEncryptionAlgorithm: algorithms.data ?? "http://www.w3.org/2009/xmlenc11#aes256-gcm",
    keyEncryptionAlgorithm: algorithms.key ?? "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p",
    singleLogoutService: [{ Binding: "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST", Location: SSO_URL }],
    singleSignOnService: [{ Binding: "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect", Location: SSO_URL }],
  });
  const sp = samlify.ServiceProvider({ metadata: spMetadata });
  const base64 = await samlify.SamlLib.encryptAssertion(idp, sp, xml);
  return Buffer.from(base64, "base64").toString("utf8");
}

export interface RunningIdp {
  readonly ssoUrl: string;
  close(): Promise<void>;
}

/**
 * An identity provider that signs everybody in as whom `answer` tells of: a page with a form that a browser sends by itself. It is
 * another site than ours (localhost, not 127.0.0.1), so that a browser withholds our cookies.
 */
export async function startIdp(
  acs: () => string,
  answer: (asked: Asked) => Promise<string> | string,
): Promise<RunningIdp> {
  const server = createServer((request, response) => {
    const asked = askedBy(new URL(request.url ?? "", "http://localhost"));
    void (async () => {
      const encoded = Buffer.from(await answer(asked)).toString("base64");
      const fields = { SAMLResponse: encoded, RelayState: asked.relayState };
      const inputs = Object.entries(fields).map(
        ([name, value]) => `<input type="hidden" name="${name}" value="${value}"/>`,
      );
      response.setHeader("content-type", "text/html");
      response.end(`<form method="post" action="${acs()}">${inputs.join("")}</form>`);
    })();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const close = async (): Promise<void> => {
    server.close();
    server.closeAllConnections();
    await Promise.resolve();
  };
  return { ssoUrl: `http://localhost:${(server.address() as AddressInfo).port}/sso`, close };
}
