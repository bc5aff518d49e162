import { z } from "zod";
import type { Instant } from "../brand.ts";
import { SallyportError } from "../errors.ts";
import type { SignedIn } from "./home-realm.ts";
import type { PrincipalId } from "./principal.ts";

/** Clocks differ. */
export const SAML_CLOCK_SKEW_MS = 60_000;
/** From when it was issued: an assertion goes straight from the provider through the browser to us. */
export const MAX_ASSERTION_AGE_MS = 5 * 60_000;

/** As of a claim (oidc-claims.ts). */
const MAX_VALUE_LENGTH = 255;
const MAX_GROUPS = 1000;
/** xs:ID has no bound of its own; providers use some 40 characters. */
const MAX_ID_LENGTH = 256;
/** An assertion of ours has one of each; a few statements more are no harm. */
const MAX_ELEMENTS = 64;

const BEARER = "urn:oasis:names:tc:SAML:2.0:cm:bearer";

/** No control characters, and no blanks around it: nothing that two programs read differently. */
const identifier = z
  .string()
  .min(1)
  .max(MAX_VALUE_LENGTH)
  .regex(/^[^\p{C}\p{Zl}\p{Zp}\s](?:[^\p{C}\p{Zl}\p{Zp}]*[^\p{C}\p{Zl}\p{Zp}\s])?$/u);

/** ISO 8601 in UTC, as SAML core §1.3.3 demands. */
const instant = z
  .string()
  .regex(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?Z$/)
  .transform((text) => Date.parse(text))
  .pipe(z.number());

const textOnly = z.object({ _: z.string() });
const elements = <T extends z.ZodType>(schema: T): z.ZodArray<T> => z.array(schema).max(MAX_ELEMENTS);
const one = <T extends z.ZodType>(schema: T): z.ZodTuple<[T]> => z.tuple([schema]);

const confirmation = z.object({
  $: z.object({ Method: z.string() }),
  SubjectConfirmationData: one(
    z.object({
      $: z.object({
        Recipient: z.string(),
        NotOnOrAfter: instant,
        NotBefore: z.string().optional(),
        InResponseTo: z.string().max(MAX_ID_LENGTH).optional(),
      }),
    }),
  ),
});

const attribute = z.object({
  $: z.object({ Name: z.string().max(MAX_VALUE_LENGTH) }),
  AttributeValue: z.array(z.unknown()).max(MAX_GROUPS).default([]),
});

/** What is read of a verified assertion, as xml2js puts it without prefixes: `$` holds attributes, `_` text. SAML core §2.3.3. */
const verified = z.object({
  $: z.object({ ID: z.string().min(1).max(MAX_ID_LENGTH), Version: z.literal("2.0"), IssueInstant: instant }),
  Issuer: one(textOnly),
  Subject: one(
    z.object({
      NameID: one(z.object({ _: identifier, $: z.object({ Format: z.string().optional() }).optional() })),
      SubjectConfirmation: elements(z.unknown()).min(1),
    }),
  ),
  Conditions: one(
    z.object({
      $: z.object({ NotBefore: instant.optional(), NotOnOrAfter: instant }),
      AudienceRestriction: elements(z.object({ Audience: elements(textOnly).min(1) })).min(1),
    }),
  ),
  AuthnStatement: elements(
    z.object({ $: z.object({ AuthnInstant: instant, SessionNotOnOrAfter: instant.optional() }) }),
  ).min(1),
  AttributeStatement: elements(z.object({ Attribute: z.array(attribute).max(MAX_GROUPS).default([]) })).default([]),
});
type Assertion = z.infer<typeof verified>;
type ConfirmationData = z.infer<typeof confirmation>["SubjectConfirmationData"][0]["$"];

/** What an assertion is held against. */
export interface Expected {
  /** Of the provider: its entity id. */
  readonly issuer: string;
  /** Ours: the entity id that the provider knows. */
  readonly audience: string;
  /** The address that assertions come to. */
  readonly recipient: string;
  readonly nameIdFormat: string;
  readonly attributes: { readonly groups: string; readonly email: string; readonly name: string };
  readonly now: Instant;
}

/** A person whom an assertion tells of. */
export interface AssertedPerson extends SignedIn {
  readonly assertionId: string;
  /** When the provider said so. */
  readonly issuedAt: Instant;
  /** When the assertion is too old for anybody. */
  readonly expiresAt: Instant;
  /** The request that this answers; undefined for a sign-in that began at the provider. */
  readonly inResponseTo: string | undefined;
}

/**
 * Judges an assertion whose signature has been verified (SAML profiles §4.1.4.3, core §2.4.1.2 and §2.5.1).
 * @param assertion what was signed, and nothing else, as xml2js reads it
 * @returns id `saml:entity id|name id`, which no OIDC provider's can be; named by the e-mail address, or by its name.
 *   Throws `sign-in-failed`, with what was wrong as its cause.
 */
export function personFromAssertion(assertion: unknown, expected: Expected): AssertedPerson {
  const read = verified.safeParse(assertion);
  if (!read.success) throw refused("the assertion is not as it must be", read.error);
  const fault = CHECKS.find(([, holds]) => !holds(read.data, expected));
  if (fault !== undefined) throw refused(fault[0]);
  const data = bearer(read.data, expected);
  const values = valuesOf(read.data);
  const nameId = read.data.Subject[0].NameID[0]._;
  const email = only(values.get(expected.attributes.email)) ?? (isMailFormat(expected) ? nameId : undefined);
  const name = email ?? only(values.get(expected.attributes.name)) ?? nameId;
  const groups = [...new Set(groupsOf(values.get(expected.attributes.groups) ?? []))];
  return {
    principal: { kind: "user", id: `saml:${expected.issuer}|${nameId}` as PrincipalId, name, groups },
    email,
    assertionId: read.data.$.ID,
    issuedAt: read.data.$.IssueInstant,
    expiresAt: latest(read.data, data) + SAML_CLOCK_SKEW_MS,
    inResponseTo: data.InResponseTo,
  };
}

/** In order; the first that does not hold is what the log says. */
const CHECKS: readonly (readonly [string, (read: Assertion, expected: Expected) => boolean])[] = [
  ["another provider issued the assertion", ({ Issuer }, { issuer }) => Issuer[0]._ === issuer],
  ["the name has another format", (read, { nameIdFormat }) => formatOf(read) === nameIdFormat],
  [
    "the assertion is for another audience",
    ({ Conditions }, { audience }) =>
      Conditions[0].AudienceRestriction.every(({ Audience }) => Audience.some(({ _ }) => _ === audience)),
  ],
  ["the assertion comes from the future", ({ $ }, { now }) => $.IssueInstant <= now + SAML_CLOCK_SKEW_MS],
  ["the assertion is too old", ({ $ }, { now }) => now < $.IssueInstant + MAX_ASSERTION_AGE_MS + SAML_CLOCK_SKEW_MS],
  [
    "the assertion is not yet valid",
    ({ Conditions: [{ $ }] }, { now }) => ($.NotBefore ?? 0) <= now + SAML_CLOCK_SKEW_MS,
  ],
  ["the assertion has expired", ({ Conditions: [{ $ }] }, { now }) => now < $.NotOnOrAfter + SAML_CLOCK_SKEW_MS],
  [
    "the provider's session has ended",
    ({ AuthnStatement }, { now }) =>
      AuthnStatement.every(({ $ }) => now < ($.SessionNotOnOrAfter ?? Infinity) + SAML_CLOCK_SKEW_MS),
  ],
];

/** The bearer confirmation for us (SAML profiles §4.1.4.2): one that names us, is in time and has no NotBefore. */
function bearer({ Subject }: Assertion, { recipient, now }: Expected): ConfirmationData {
  for (const candidate of Subject[0].SubjectConfirmation) {
    const read = confirmation.safeParse(candidate);
    if (!read.success || read.data.$.Method !== BEARER) continue;
    const data = read.data.SubjectConfirmationData[0].$;
    if (data.Recipient === recipient && data.NotBefore === undefined && now < data.NotOnOrAfter + SAML_CLOCK_SKEW_MS)
      return data;
  }
  throw refused("no confirmation of the subject is for us and in time");
}

function formatOf({ Subject }: Assertion): string {
  return Subject[0].NameID[0].$?.Format ?? UNSPECIFIED;
}

const UNSPECIFIED = "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified";

function isMailFormat({ nameIdFormat }: Expected): boolean {
  return nameIdFormat === "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress";
}

/** After this the checks above refuse it, whoever shows it. */
function latest({ $, Conditions }: Assertion, data: ConfirmationData): Instant {
  return Math.min($.IssueInstant + MAX_ASSERTION_AGE_MS, Conditions[0].$.NotOnOrAfter, data.NotOnOrAfter);
}

/** Attributes by name. One that is given twice has the values of both. */
function valuesOf({ AttributeStatement }: Assertion): Map<string, unknown[]> {
  const found = new Map<string, unknown[]>();
  for (const { Attribute } of AttributeStatement)
    for (const { $, AttributeValue } of Attribute) found.set($.Name, [...(found.get($.Name) ?? []), ...AttributeValue]);
  return found;
}

/** Text alone, with or without an xsi:type; anything nested is no text. */
const value = z.union([
  identifier,
  z.strictObject({ _: identifier, $: z.record(z.string(), z.unknown()).optional() }).transform(({ _ }) => _),
]);

/** The one value of an attribute; undefined where there is none. Throws where there are two, or it is no text. */
function only(values: unknown[] | undefined): string | undefined {
  if (values === undefined || values.length === 0) return undefined;
  const read = z.tuple([value]).safeParse(values);
  if (read.success) return read.data[0];
  throw refused("an attribute has not one value", read.error);
}

function groupsOf(values: readonly unknown[]): string[] {
  const read = z
    .array(value)
    .max(MAX_GROUPS)
    .safeParse(values.filter((given) => !isEmpty(given)));
  if (read.success) return read.data;
  throw refused("the attribute of groups is not a list of groups", read.error);
}

/** `<AttributeValue/>`: how some providers say "none". */
function isEmpty(given: unknown): boolean {
  return (
    given === "" ||
    (typeof given === "object" && given !== null && !("_" in given) && Object.keys(given).every((key) => key === "$"))
  );
}

function refused(why: string, cause?: unknown): SallyportError {
  const detail = new Error(why, cause === undefined ? undefined : { cause });
  return new SallyportError("sign-in-failed", "the sign-in failed", {
    hint: "start again from the home page",
    cause: detail,
  });
}
