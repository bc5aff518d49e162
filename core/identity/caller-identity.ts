import { createHash } from "node:crypto";
import { z } from "zod";
import type { Instant } from "../brand.ts";
import type { AwsIdentity } from "../config/services.ts";
import { SallyportError } from "../errors.ts";
import type { OnceId } from "../ports/sign-in-store.ts";
import { amzDate, authorizationOf, type AwsCredentials } from "./aws-sigv4.ts";
import { type Recognised, serviceNamed } from "./service-rules.ts";

/** RFC 8693 §3: our name for a signed request that tells who one is to AWS. */
export const CALLER_IDENTITY_TYPE = "urn:sallyport:params:oauth:token-type:aws-caller-identity";
/** Signed with the rest, so that what was signed for one Sallyport, or for another service, is good for no other. */
const AUDIENCE_HEADER = "x-sallyport-audience";
/** STS itself takes 15 minutes; whoever asks for a pass signs at that moment. */
export const MAX_SKEW_MS = 5 * 60 * 1000;

const BODY = "Action=GetCallerIdentity&Version=2011-06-15";
const CONTENT_TYPE = "application/x-www-form-urlencoded; charset=utf-8";
/** A request of ours has about 2,000 characters, most of them the session token's. */
const MAX_TOKEN_CHARACTERS = 16_384;
/** Session tokens have no documented bound; those of today are well below 2,048. */
const MAX_HEADER = 8_192;

/** The regions whose STS is asked. A closed list: no name that a client makes up is ever looked up. */
export const STS_REGIONS: ReadonlySet<string> = new Set(
  (
    "af-south-1 ap-east-1 ap-east-2 ap-northeast-1 ap-northeast-2 ap-northeast-3 ap-south-1 ap-south-2 ap-southeast-1 " +
    "ap-southeast-2 ap-southeast-3 ap-southeast-4 ap-southeast-5 ap-southeast-7 ca-central-1 ca-west-1 eu-central-1 " +
    "eu-central-2 eu-north-1 eu-south-1 eu-south-2 eu-west-1 eu-west-2 eu-west-3 il-central-1 me-central-1 me-south-1 " +
    "mx-central-1 sa-east-1 us-east-1 us-east-2 us-west-1 us-west-2 us-gov-east-1 us-gov-west-1"
  ).split(" "),
);

/** What may be sent, and nothing else; each is signed, but for the signature. */
const HEADERS: ReadonlySet<string> = new Set([
  "authorization",
  "content-type",
  "host",
  "x-amz-date",
  "x-amz-security-token",
  AUDIENCE_HEADER,
]);
const REQUIRED = ["host", "x-amz-date", AUDIENCE_HEADER];

const envelope = z.strictObject({
  method: z.literal("POST"),
  url: z.string().max(256),
  headers: z.record(
    z.string().regex(/^[a-z0-9-]{1,64}$/),
    z
      .string()
      .regex(/^[\x20-\x7e]*$/)
      .max(MAX_HEADER),
  ),
  body: z.literal(BODY),
});

const AUTHORIZATION =
  /^AWS4-HMAC-SHA256 Credential=[A-Z0-9]{16,128}\/(?<day>\d{8})\/(?<region>[a-z0-9-]{1,32})\/sts\/aws4_request, ?SignedHeaders=(?<signed>[a-z0-9;-]{1,512}), ?Signature=(?<signature>[0-9a-f]{64})$/;

/** A request that may be sent: every part of it is one of ours, or was checked. */
export interface CallerRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** Good for one use until `expiresAt`. */
  readonly once: OnceId;
  readonly expiresAt: Instant;
}

/**
 * A signed GetCallerIdentity as a token: base64url of its JSON.
 * @param audience the public URL of the Sallyport that it is for
 * @param region of the STS to be asked; undefined: the global one
 */
export function signCallerIdentity(
  credentials: AwsCredentials,
  { audience, region, now }: { readonly audience: string; readonly region: string | undefined; readonly now: Instant },
): string {
  const host = region === undefined ? "sts.amazonaws.com" : `sts.${region}.amazonaws.com`;
  const unsigned = {
    host,
    "content-type": CONTENT_TYPE,
    "x-amz-date": amzDate(now),
    [AUDIENCE_HEADER]: audience,
    ...(credentials.sessionToken === undefined ? {} : { "x-amz-security-token": credentials.sessionToken }),
  };
  const request = { method: "POST", path: "/", query: "", headers: unsigned, body: BODY };
  const authorization = authorizationOf(request, credentials, { region: region ?? "us-east-1", service: "sts" });
  const whole = { method: "POST", url: `https://${host}/`, headers: { ...unsigned, authorization }, body: BODY };
  return Buffer.from(JSON.stringify(whole)).toString("base64url");
}

/**
 * The request of a token, if it is safe to send and was signed for us, now. Its signature is for STS to check.
 * @param audience our own public URL
 * Throws `sign-in-failed`, which says what is wrong with it.
 */
export function parseCallerIdentity(token: string, audience: string, now: Instant): CallerRequest {
  const { url, headers, body } = envelopeOf(token);
  const region = regionOf(url);
  const unknown = Object.keys(headers).find((name) => !HEADERS.has(name));
  if (unknown !== undefined) throw refusal(`it has the header ${unknown}, which is not one to be sent`);
  const signature = AUTHORIZATION.exec(headers["authorization"] ?? "")?.groups;
  if (signature === undefined) throw refusal("it is not signed by AWS Signature Version 4 for STS");
  const signed = new Set(signature["signed"]?.split(";"));
  const unsigned = [...REQUIRED, ...Object.keys(headers)].find((name) => name !== "authorization" && !signed.has(name));
  if (unsigned !== undefined) throw refusal(`the header ${unsigned} is not signed`);
  const absent = [...signed].find((name) => !Object.hasOwn(headers, name));
  if (absent !== undefined) throw refusal(`the header ${absent} is signed and not there`);
  if (headers["host"] !== new URL(url).host) throw refusal("its header host is not the host of its URL");
  if (headers[AUDIENCE_HEADER] !== audience) throw refusal(`its header ${AUDIENCE_HEADER} is not ${audience}`);
  if (signature["region"] !== region) throw refusal("it is signed for another region than it is to be sent to");
  const at = signedAt(headers["x-amz-date"] ?? "", signature["day"] ?? "", now);
  const digest = createHash("sha256")
    .update(signature["signature"] ?? "")
    .digest("hex");
  return { url, headers, body, once: `aws:${digest}` as OnceId, expiresAt: at + 2 * MAX_SKEW_MS };
}

function envelopeOf(token: string): z.infer<typeof envelope> {
  if (token.length > MAX_TOKEN_CHARACTERS || !/^[A-Za-z0-9_-]+$/.test(token))
    throw refusal("it is not base64url of a request");
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(token, "base64url").toString("utf8"));
  } catch {
    throw refusal("it is not the JSON of a request");
  }
  const parsed = envelope.safeParse(value);
  if (parsed.success) return parsed.data;
  const wrong = parsed.error.issues[0]?.path.join(".");
  throw refusal(`it is not a POST of ${BODY}${wrong ? ` (${wrong.slice(0, 64)})` : ""}`);
}

/** Compared as text: no parser of URLs has a say in which host it is. */
function regionOf(url: string): string {
  if (url === "https://sts.amazonaws.com/") return "us-east-1";
  const region = /^https:\/\/sts\.([a-z0-9-]{1,32})\.amazonaws\.com\/$/.exec(url)?.[1];
  if (region !== undefined && STS_REGIONS.has(region)) return region;
  throw refusal("its URL is not that of STS: https://sts.REGION.amazonaws.com/");
}

function signedAt(date: string, day: string, now: Instant): Instant {
  const parts = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(date);
  const at = parts === null ? Number.NaN : Date.parse(date.replace(/^(.{4})(..)(...)(..)(..)/, "$1-$2-$3$4:$5:"));
  if (!(Math.abs(now - at) <= MAX_SKEW_MS)) throw refusal("it was not signed within the last five minutes");
  if (day !== date.slice(0, 8)) throw refusal("its x-amz-date is not the day that it is signed for");
  return at;
}

const answer = z.object({
  GetCallerIdentityResponse: z.object({
    GetCallerIdentityResult: z.object({ Arn: z.string().max(2_048), Account: z.string().regex(/^\d{12}$/) }),
  }),
});

/** What STS says of the caller, as JSON. Throws `sign-in-failed` where that is no answer to GetCallerIdentity. */
export function callerArn(text: string): string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw refusal("STS did not answer in JSON");
  }
  const parsed = answer.safeParse(value);
  if (!parsed.success) throw refusal("STS did not say who signed it");
  const { Arn, Account } = parsed.data.GetCallerIdentityResponse.GetCallerIdentityResult;
  if (Arn.split(":")[4] !== Account) throw refusal("STS named two accounts");
  return Arn;
}

const ASSUMED =
  /^arn:(?<partition>aws[a-z-]*):sts::(?<account>\d{12}):assumed-role\/(?<role>[^/*]+)\/(?<session>[^/*]+)$/;

/** Who this is by the allow-list. Throws `access-denied` where it is nobody's. */
export function recogniseCaller(identities: readonly AwsIdentity[], arn: string): Recognised {
  const found = identities.find((one) => isCaller(one.arn, arn));
  if (found !== undefined)
    return {
      principal: { ...serviceNamed(found.service), groups: [...found.groups] },
      maxPassMinutes: found.maxPassMinutes,
      proof: arn,
    };
  throw new SallyportError(
    "access-denied",
    `no entry of awsIdentities in services.yaml matches ${normalArn(arn)} (${arn})`,
    {
      hint: "add it, or ask whoever keeps the configuration to",
    },
  );
}

/** An assumed role's session as its role's own ARN, which STS does not tell: without the role's path. */
export function normalArn(arn: string): string {
  const { partition, account, role } = ASSUMED.exec(arn)?.groups ?? {};
  return role === undefined ? arn : `arn:${partition}:iam::${account}:role/${role}`;
}

function isCaller(listed: string, arn: string): boolean {
  if (listed.includes(":assumed-role/"))
    return listed.endsWith("*") ? ASSUMED.test(arn) && arn.startsWith(listed.slice(0, -1)) : listed === arn;
  if (listed.includes(":role/")) return ASSUMED.test(arn) && listed.replace(/:role\/.*\//, ":role/") === normalArn(arn);
  return listed === arn;
}

function refusal(message: string): SallyportError {
  return new SallyportError("sign-in-failed", `this GetCallerIdentity request is not taken: ${message}`, {
    hint: "`sallyport pass --aws` signs one as it must be",
  });
}
