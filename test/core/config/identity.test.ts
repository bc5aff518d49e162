import { describe, expect, test } from "vitest";
import { parseIdentity, resolveIdentity } from "../../../core/config/identity.ts";
import { SallyportError } from "../../../core/errors.ts";
import type { Secrets } from "../../../core/ports/secrets.ts";

const OIDC = {
  kind: "oidc",
  id: "oidc",
  issuer: "https://idp.example",
  clientId: "c",
  clientSecret: { secret: "idp" },
};
const PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
const SAML = {
  kind: "saml",
  id: "corp",
  domains: ["corp.example"],
  metadata: { entityId: "urn:corp", ssoUrl: "https://sso.corp.example", certificates: [PEM] },
};
const parse = (...providers: unknown[]): ReturnType<typeof parseIdentity> =>
  parseIdentity({ providers }, "identity.yaml");

const secrets = (known: Record<string, string>): Secrets => ({
  get: async (name) => {
    const found = known[name];
    if (found === undefined) throw new SallyportError("not-found", `the secret "${name}" is missing`);
    return Promise.resolve(found);
  },
});

describe("identity settings", () => {
  test("have what is not said filled in with the strictest", () => {
    expect(parse(OIDC, SAML).providers).toMatchObject([
      { domains: [], groupsClaim: "groups", groupPrefix: "", groupsMaxAgeMinutes: 5 },
      { allowIdpInitiated: false, nameIdFormat: "persistent" },
    ]);
  });

  test("know a domain in lower case", () => {
    expect(parse({ ...OIDC, domains: ["Shop.Example"] }).providers[0]?.domains).toEqual(["shop.example"]);
  });

  test.each<[string, unknown[], string]>([
    ["without providers", [], "providers"],
    ["with two of one id", [OIDC, { ...SAML, id: "oidc" }], 'the id "oidc"'],
    [
      "with one issuer twice",
      [OIDC, { ...OIDC, id: "b", domains: ["b.example"] }],
      "two providers are https://idp.example",
    ],
    ["with one domain twice", [{ ...OIDC, domains: ["CORP.example"] }, SAML], "corp.example belongs to two"],
    [
      "with two that have no domains",
      [OIDC, { ...SAML, domains: [] }],
      "only one may be without domains, not oidc and corp",
    ],
    ["with an issuer over http", [{ ...OIDC, issuer: "http://idp.example" }], "providers.0.issuer: must be https"],
    ["with an issuer with a bar", [{ ...OIDC, issuer: "https://idp.example/|x" }], "vertical bar"],
    [
      "with a sign-on page over http",
      [{ ...SAML, metadata: { ...SAML.metadata, ssoUrl: "http://x.example" } }],
      "metadata",
    ],
    [
      "with a script for a sign-on page",
      [{ ...SAML, metadata: { ...SAML.metadata, ssoUrl: "javascript:1" } }],
      "metadata",
    ],
    ["with an entity with a bar", [{ ...SAML, metadata: { ...SAML.metadata, entityId: "a|b" } }], "metadata"],
    ["without certificates", [{ ...SAML, metadata: { ...SAML.metadata, certificates: [] } }], "metadata"],
    [
      "with a private key for a certificate",
      [
        {
          ...SAML,
          metadata: {
            ...SAML.metadata,
            certificates: ["-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----"],
          },
        },
      ],
      "metadata",
    ],
    ["with a secret that stands in them", [{ ...OIDC, clientSecret: "s3cret" }], "clientSecret"],
    ["with a word misspelt", [{ ...SAML, allowIdpInitated: true }], "allowIdpInitated"],
    ["with an id that is no part of an address", [{ ...OIDC, id: "../x" }], "providers.0.id"],
    ["with a domain that is an address", [{ ...OIDC, domains: ["a@b.example"] }], "domains"],
    ["with a domain for all", [{ ...OIDC, domains: ["*"] }], "domains"],
    ["with a domain in letters that are not ASCII", [{ ...OIDC, domains: ["münchen.example"] }], "domains"],
    ["with a provider of another kind", [{ ...OIDC, kind: "ldap" }], "kind"],
  ])("%s are refused, with the reason", (_, providers, why) => {
    expect(() => parse(...providers)).toThrow(why);
    expect(() => parse(...providers)).toThrow("identity.yaml");
  });

  test("get their secrets from the store, and none stands in a message", async () => {
    const settings = parse(OIDC, {
      ...SAML,
      metadata: { secret: "meta" },
      decryption: { certificate: PEM, key: { secret: "key" } },
    });
    expect(await resolveIdentity(settings, secrets({ idp: "s3cret", meta: "<x/>", key: "PEM" }))).toMatchObject([
      { clientSecret: "s3cret" },
      { metadata: "<x/>", decryption: { key: "PEM" } },
    ]);
    for (const known of [{}, { idp: "", meta: "x", key: "x" }, { idp: "s3cret", meta: "x" }])
      await expect(resolveIdentity(settings, secrets(known))).rejects.toMatchObject({ code: "configuration-invalid" });
  });
});
