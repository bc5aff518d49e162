import { z } from "zod";
import { SallyportError } from "../errors.ts";
import { GITHUB_ISSUER, pinsGithubOwner } from "../identity/github-actions.ts";
import { isPlainLoopback } from "../identity/loopback.ts";

/** As long as a working day: whoever needs more gets a new pass. */
const MAX_PASS_MINUTES = 12 * 60;
/** EKS gives pods tokens of up to 24 hours; no other issuer of workload tokens goes beyond. */
const MAX_TOKEN_AGE_MINUTES = 24 * 60;
const MAX_RULES = 500;

const name = z.string().regex(/^[a-z0-9][a-z0-9._-]{0,62}$/, "lower-case letters, digits, dots, - and _; at most 63");
const groups = z.array(z.string().min(1).max(256)).min(1).max(64);
const maxPassMinutes = z.number().int().min(1).max(MAX_PASS_MINUTES).default(60);

const pattern = z.string().min(1).max(512);
const match = z
  .record(z.string().min(1).max(128), pattern)
  .refine((claims) => Object.keys(claims).length > 0, "at least one claim must be named")
  .refine((claims) => Object.keys(claims).length <= 16, "at most 16 claims");

const rule = z
  .strictObject({
    match,
    /** What the workload is to policies: the principal `service|NAME`. */
    service: name.optional(),
    /** The token's own person, who acts through whoever shows it: the principal `issuer|sub`. */
    person: z.literal(true).optional(),
    groups,
    maxPassMinutes,
  })
  .refine((one) => (one.service === undefined) !== (one.person === undefined), "either `service` or `person: true`");

/** `|` separates issuer and subject in a principal's id. */
const issuerUrl = z
  .string()
  .max(512)
  .refine((text) => isSafe(text) && !text.includes("|"), "an https URL, or http on loopback");

const issuer = z
  .strictObject({
    issuer: issuerUrl,
    /** What tokens must be for (`aud`). */
    audience: z.string().min(1).max(512),
    /** Where the keys are; by default where the issuer's own description (OpenID Connect Discovery) says. */
    jwksUri: z.string().max(512).refine(isSafe, "an https URL, or http on loopback").optional(),
    maxTokenAgeMinutes: z.number().int().min(1).max(MAX_TOKEN_AGE_MINUTES).default(MAX_TOKEN_AGE_MINUTES),
    rules: z.array(rule).min(1).max(MAX_RULES),
  })
  .refine(
    (one) => one.issuer !== GITHUB_ISSUER || one.rules.every(({ match: claims }) => pinsGithubOwner(claims)),
    "everybody on GitHub gets tokens of this issuer, for any audience: each rule must name the owner or the repository without a wildcard, by `sub`, `repository`, `repository_owner`, `repository_id` or `repository_owner_id`",
  );

/**
 * A role, by its name and account; a user; or one role's sessions of a name that may end in a wildcard. STS tells no path of a role.
 */
const AWS_ARN =
  /^arn:aws(-us-gov)?:(iam::\d{12}:(role|user)\/([\w+=,.@-]+\/)*[\w+=,.@-]+|sts::\d{12}:assumed-role\/[\w+=,.@-]+\/[\w+=,.@-]*\*?)$/;
const awsIdentity = z.strictObject({
  arn: z
    .string()
    .max(2048)
    .regex(
      AWS_ARN,
      "the ARN of a role, a user or an assumed role; a `*` may end the name of an assumed role's session, and stand nowhere else",
    )
    .refine((text) => !text.endsWith("/"), "the session of an assumed role is missing"),
  service: name,
  groups,
  maxPassMinutes,
});

const servicesFile = z.strictObject({
  issuers: z
    .array(issuer)
    .max(50)
    .default([])
    .refine((all) => new Set(all.map((one) => one.issuer)).size === all.length, "an issuer is listed twice"),
  awsIdentities: z.array(awsIdentity).max(MAX_RULES).default([]),
});

export type TokenIssuer = z.infer<typeof issuer>;
export type TokenRule = z.infer<typeof rule>;
export type AwsIdentity = z.infer<typeof awsIdentity>;
export type Services = z.infer<typeof servicesFile>;

/** Nobody but people. */
export const NO_SERVICES: Services = { issuers: [], awsIdentities: [] };

/** The services of a parsed `services.yaml`. Throws `configuration-invalid` naming every fault and its place. */
export function parseServices(document: unknown): Services {
  const parsed = servicesFile.safeParse(document ?? {});
  if (parsed.success) return parsed.data;
  throw new SallyportError("configuration-invalid", `services.yaml is not valid:\n${z.prettifyError(parsed.error)}`);
}

function isSafe(text: string): boolean {
  const url = URL.parse(text);
  if (url === null || url.username !== "" || url.password !== "" || url.hash !== "") return false;
  return url.protocol === "https:" || isPlainLoopback(url);
}
