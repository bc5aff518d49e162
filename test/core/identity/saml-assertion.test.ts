import { describe, expect, test } from "vitest";
import {
  type Expected,
  MAX_ASSERTION_AGE_MS,
  personFromAssertion,
  SAML_CLOCK_SKEW_MS,
} from "../../../core/identity/saml-assertion.ts";

// The library that reads responses checks some of this as well. These are the checks of our own, by themselves.

const NOW = Date.UTC(2026, 10, 29, 12);
const at = (ms: number): string => new Date(NOW + ms).toISOString();
const HOUR = 3_600_000;
const EXPECTED: Expected = {
  issuer: "https://idp.example/saml",
  audience: "https://sallyport.example/auth/saml/corp/metadata",
  recipient: "https://sallyport.example/auth/saml/corp/acs",
  nameIdFormat: "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent",
  attributes: { groups: "groups", email: "email", name: "name" },
  now: NOW,
};

interface Told {
  readonly issuer: string;
  readonly format: string;
  readonly audiences: readonly (readonly string[])[];
  readonly issued: number;
  readonly notBefore: number;
  readonly notOnOrAfter: number;
  readonly session: number;
  readonly recipient: string;
  readonly method: string;
  readonly confirmed: Readonly<Record<string, string>>;
}
const SOUND: Told = {
  issuer: EXPECTED.issuer,
  format: EXPECTED.nameIdFormat,
  audiences: [[EXPECTED.audience]],
  issued: -1_000,
  notBefore: -60_000,
  notOnOrAfter: 60_000,
  session: HOUR,
  recipient: EXPECTED.recipient,
  method: "urn:oasis:names:tc:SAML:2.0:cm:bearer",
  confirmed: {},
};

/** An assertion as xml2js reads it. */
function assertion(over: Partial<Told> = {}): unknown {
  const told = { ...SOUND, ...over };
  const data = { Recipient: told.recipient, NotOnOrAfter: at(60_000), InResponseTo: "_request", ...told.confirmed };
  return {
    $: { ID: "_1", Version: "2.0", IssueInstant: at(told.issued) },
    Issuer: [{ _: told.issuer }],
    Subject: [
      {
        NameID: [{ _: "ana", $: { Format: told.format } }],
        SubjectConfirmation: [{ $: { Method: told.method }, SubjectConfirmationData: [{ $: data }] }],
      },
    ],
    Conditions: [
      {
        $: { NotBefore: at(told.notBefore), NotOnOrAfter: at(told.notOnOrAfter) },
        AudienceRestriction: told.audiences.map((all) => ({ Audience: all.map((_) => ({ _ })) })),
      },
    ],
    AuthnStatement: [{ $: { AuthnInstant: at(0), SessionNotOnOrAfter: at(told.session) } }],
    AttributeStatement: [{ Attribute: [{ $: { Name: "groups" }, AttributeValue: ["engineers", { _: "dba" }] }] }],
  };
}

/** Why it was refused; undefined where it was not. */
function why(over: Partial<Told>): string | undefined {
  try {
    personFromAssertion(assertion(over), EXPECTED);
    return undefined;
  } catch (error) {
    return ((error as Error).cause as Error).message;
  }
}

describe("an assertion whose signature is sound", () => {
  test("tells who somebody is, by a name that no other kind of provider gives", () => {
    expect(personFromAssertion(assertion(), EXPECTED)).toEqual({
      principal: { kind: "user", id: `saml:${EXPECTED.issuer}|ana`, name: "ana", groups: ["engineers", "dba"] },
      email: undefined,
      assertionId: "_1",
      issuedAt: NOW - 1_000,
      expiresAt: NOW + 60_000 + SAML_CLOCK_SKEW_MS,
      inResponseTo: "_request",
    });
  });

  const oldest = -(MAX_ASSERTION_AGE_MS + SAML_CLOCK_SKEW_MS);
  const refused: readonly [what: string, over: Partial<Told>, why: string][] = [
    ["of another provider", { issuer: "https://idp.example/saml2" }, "another provider issued the assertion"],
    ["whose name has another format", { format: "urn:x" }, "the name has another format"],
    ["for another audience", { audiences: [["https://other.example"]] }, "the assertion is for another audience"],
    ["one of whose restrictions leaves us out", { audiences: [[EXPECTED.audience], ["https://other.example"]] }, "the assertion is for another audience"],
    ["from the future", { issued: SAML_CLOCK_SKEW_MS + 1 }, "the assertion comes from the future"],
    ["that is too old", { issued: oldest }, "the assertion is too old"],
    ["that is not yet valid", { notBefore: SAML_CLOCK_SKEW_MS + 1 }, "the assertion is not yet valid"],
    ["that has expired", { notOnOrAfter: -SAML_CLOCK_SKEW_MS }, "the assertion has expired"],
    ["of a session that has ended", { session: -SAML_CLOCK_SKEW_MS }, "the provider's session has ended"],
    ["that is confirmed to another address", { recipient: "https://other.example/acs" }, "no confirmation of the subject is for us and in time"],
    ["that is confirmed by what we cannot check", { method: "urn:oasis:names:tc:SAML:2.0:cm:holder-of-key" }, "no confirmation of the subject is for us and in time"],
    ["whose confirmation is over", { confirmed: { NotOnOrAfter: at(-SAML_CLOCK_SKEW_MS) } }, "no confirmation of the subject is for us and in time"],
    ["whose confirmation says from when it counts, as none may", { confirmed: { NotBefore: at(-1) } }, "no confirmation of the subject is for us and in time"],
  ]; // prettier-ignore
  for (const [what, over, reason] of refused)
    test(`is refused ${what}`, () => {
      expect(why(over)).toBe(reason);
    });

  test("counts up to the last millisecond of each bound", () => {
    for (const over of [
      { issued: SAML_CLOCK_SKEW_MS },
      { issued: oldest + 1 },
      { notBefore: SAML_CLOCK_SKEW_MS },
      { notOnOrAfter: 1 - SAML_CLOCK_SKEW_MS },
      { session: 1 - SAML_CLOCK_SKEW_MS },
      { audiences: [["https://other.example", EXPECTED.audience]] },
    ])
      expect(why(over), JSON.stringify(over)).toBeUndefined();
  });
});
