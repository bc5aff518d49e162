import { existsSync, readFileSync } from "node:fs";
import { z } from "zod";
import { SallyportError } from "../core/errors.ts";

/** What CloudWatch Logs can keep: it takes these numbers of days and no others. */
const LOG_DAYS = [30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653] as const;
/** Fargate sells memory in steps that depend on the CPU: MiB by CPU units (1024 are one vCPU). */
const FARGATE_MEMORY: Readonly<Record<number, readonly [least: number, most: number]>> = {
  512: [1024, 4096],
  1024: [2048, 8192],
  2048: [4096, 16_384],
  4096: [8192, 30_720],
};

const list = z
  .union([z.array(z.string()), z.string().transform((text) => text.split(","))])
  .transform((items) => items.map((item) => item.trim()).filter((item) => item !== ""));
const filled = list.pipe(z.array(z.string()).min(1));
const whole = (least: number, most: number) => z.coerce.number().int().min(least).max(most);
/** An object, or the text of one. */
const json = z.preprocess(
  (given) => {
    try {
      return typeof given === "string" ? JSON.parse(given) : given;
    } catch {
      return undefined;
    }
  },
  z.record(z.string(), z.unknown(), "is no JSON object"),
);
const flag = z.union([z.boolean(), z.enum(["true", "false"]).transform((text) => text === "true")]);
const arn = (service: string) => z.string().regex(new RegExp(`^arn:aws[a-z-]*:${service}:`), `is no ARN of ${service}`);
const host = z.string().regex(/^(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}$/, "is no host name");
const cidr = z.string().regex(/^(\d{1,3}\.){3}\d{1,3}\/(\d|[12]\d|3[0-2])$/, "is no IPv4 range such as 10.0.0.0/8");

const schema = z
  .object({
    name: z
      .string()
      .regex(/^[A-Z][A-Za-z0-9]{0,30}$/, "starts with a capital, then letters and digits")
      .default("Sallyport"),
    account: z
      .string()
      .regex(/^\d{12}$/, "has twelve digits")
      .optional(),
    region: z
      .string()
      .regex(/^[a-z]{2}(-[a-z]+)+-\d$/, "is no region")
      .optional(),
    zones: list.pipe(z.array(z.string()).min(2, "two zones or more")).optional(),
    vpcId: z
      .string()
      .regex(/^vpc-[0-9a-f]{8,17}$/, "is no VPC's id")
      .optional(),
    internal: flag.default(false),
    clientRanges: filled.pipe(z.array(cidr)).default(["0.0.0.0/0"]),

    issuer: z.url({ protocol: /^https$/ }).optional(),
    clientId: z.string().min(1).optional(),
    clientSecretArn: arn("secretsmanager").optional(),
    scopes: filled.default(["openid", "email", "profile"]),
    groupsClaim: z.string().min(1).default("groups"),
    groupsMaxAgeMinutes: whole(1, 480).default(5),
    samlMetadataSecretArn: arn("secretsmanager").optional(),
    identity: json.optional(),
    admins: filled,
    auditors: filled,

    mailFrom: z.string().min(3),
    domain: host.optional(),
    certificateArn: arn("acm").optional(),
    gatewayHost: host.optional(),
    webAclArn: arn("wafv2").optional(),
    alarmMail: z.email().optional(),

    retentionDays: whole(1, 36_500).default(365),
    retentionMode: z.enum(["GOVERNANCE", "COMPLIANCE"]).default("GOVERNANCE"),
    logDays: z.coerce
      .number()
      .refine((days) => LOG_DAYS.some((kept) => kept === days), `is none of ${LOG_DAYS.join(", ")}`)
      .default(365),
    logLevel: z.enum(["debug", "info", "warn", "error"]).default("info"),

    minTasks: whole(2, 200).default(2),
    maxTasks: whole(2, 200).default(10),
    sessionsPerTask: whole(1, 10_000).default(200),
    cpu: whole(512, 4096).default(1024),
    memory: whole(1024, 30_720).default(2048),
    architecture: z.enum(["arm64", "x86_64"]).default("x86_64"),
    configFolder: z.string().min(1).default("config"),
    targetSecretPrefix: z
      .string()
      .regex(/^[A-Za-z0-9_.@-]+(\/[A-Za-z0-9_.@-]+)*\/$/, "ends in a slash, such as sallyport/targets/")
      .default("sallyport/targets/"),
    rdsUsers: list
      .pipe(z.array(z.string().regex(/^(db|cluster|prx)-[A-Za-z0-9-]+\/[A-Za-z0-9_.$-]+$/, "is no RESOURCE-ID/USER")))
      .default([]),
    tokenKeyGeneration: whole(1, 1_000_000).default(1),
    sshHostKeyGeneration: whole(1, 1_000_000).default(1),
    tlsGeneration: whole(1, 1_000_000).default(1),
    traces: flag.default(false),
  })
  .strict();

/** What a deployment is told; checked. */
export type Settings = z.infer<typeof schema>;

/** Where settings come from: the later one counts. */
export interface Sources {
  /** As `-c NAME=VALUE` or cdk.json's `context` give it. */
  readonly context: (name: string) => unknown;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** All that can be set. */
export const SETTING_NAMES: readonly string[] = Object.keys(schema.shape);

/**
 * The settings of a deployment: a file named by `settings` (JSON), over it the environment (`SALLYPORT_…`), over both the
 * context. Throws `configuration-invalid` with one sentence that says what is missing or wrong, and how to give it.
 */
export function readSettings(sources: Sources): Settings {
  const given = { ...fileOf(valueOf(sources, "settings")) };
  for (const name of SETTING_NAMES) {
    const value = valueOf(sources, name);
    if (value !== undefined) given[name] = value;
  }
  const parsed = schema.safeParse(given);
  if (!parsed.success) throw unfit(parsed.error.issues, given);
  for (const [isSo, sentence, hint] of RULES(parsed.data)) if (isSo) throw invalid(sentence, hint);
  return parsed.data;
}

/** `SALLYPORT_MAIL_FROM` for `mailFrom`. */
export function variableOf(name: string): string {
  return `SALLYPORT_${name.replace(/[A-Z]/g, (capital) => `_${capital}`).toUpperCase()}`;
}

function valueOf({ context, environment }: Sources, name: string): unknown {
  const value = context(name) ?? environment[variableOf(name)];
  return value === "" ? undefined : value;
}

function fileOf(path: unknown): Record<string, unknown> {
  if (path === undefined) return {};
  if (typeof path !== "string" || !existsSync(path))
    throw invalid(
      `the file of settings ${JSON.stringify(path)} is not there`,
      "Copy infra/settings.example.json and name it by `-c settings=FILE`.",
    );
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(path, "utf8"));
  } catch (cause) {
    throw invalid(`the file of settings ${path} is no JSON`, "Compare it with infra/settings.example.json.", cause);
  }
  const parsed = z.record(z.string(), z.unknown()).safeParse(content);
  if (!parsed.success)
    throw invalid(`the file of settings ${path} is no object`, "Compare it with infra/settings.example.json.");
  return parsed.data;
}

function unfit(issues: readonly z.core.$ZodIssue[], given: Readonly<Record<string, unknown>>): SallyportError {
  const [issue] = issues;
  const name = String(issue?.path[0] ?? "");
  if (issue?.code === "unrecognized_keys")
    return invalid(`there is no setting ${issue.keys.join(", ")}`, `Settings are: ${SETTING_NAMES.join(", ")}.`);
  if (!(name in given)) return invalid(`the setting ${name} is missing`, howTo(name));
  return invalid(`the setting ${name} is wrong: ${issue?.message ?? ""}`, howTo(name));
}

function howTo(name: string): string {
  return `Give it by \`-c ${name}=…\`, by the variable ${variableOf(name)}, or in the file that \`-c settings=FILE\` names; docs/deploying.md says what it is.`;
}

/** What one setting demands of another, each with how to answer it. */
function RULES(s: Settings): readonly (readonly [boolean, string, string])[] {
  const [least, most] = FARGATE_MEMORY[s.cpu] ?? [0, -1];
  const oidc = [s.issuer, s.clientId, s.clientSecretArn].some((value) => value !== undefined);
  const ways = [s.identity !== undefined, s.samlMetadataSecretArn !== undefined, oidc].filter(Boolean).length;
  return [
    [
      ways === 0,
      "no identity provider is set: the setting issuer is missing",
      `${howTo("issuer")} For SAML give samlMetadataSecretArn instead, for several providers identity.`,
    ],
    [
      ways > 1,
      "more than one of issuer, samlMetadataSecretArn and identity is set",
      "Give one provider by issuer, clientId and clientSecretArn, or one by samlMetadataSecretArn, or all of them in identity.",
    ],
    ...(["issuer", "clientId", "clientSecretArn"] as const).map(
      (name) =>
        [
          oidc && s[name] === undefined,
          `the setting ${name} is missing: an OpenID Connect provider needs it`,
          howTo(name),
        ] as const,
    ),
    [
      s.domain !== undefined && s.certificateArn === undefined,
      "the setting certificateArn is missing, though domain is set",
      `${howTo("certificateArn")} CloudFront takes certificates of us-east-1 only.`,
    ],
    [
      s.certificateArn?.split(":")[3] !== undefined && s.certificateArn.split(":")[3] !== "us-east-1",
      "the setting certificateArn names a certificate outside us-east-1",
      "CloudFront takes certificates of us-east-1 only: request one there.",
    ],
    [
      s.webAclArn !== undefined && !/:us-east-1:\d{12}:global\/webacl\//.test(s.webAclArn),
      "the setting webAclArn names no web ACL of CloudFront's",
      "Its ARN holds `us-east-1` and `global/webacl`: make it in us-east-1 with scope CLOUDFRONT.",
    ],
    [
      s.vpcId !== undefined && (s.account === undefined || s.region === undefined),
      "the setting vpcId needs account and region too",
      "A VPC is looked up in one account and region: give both.",
    ],
    [
      s.zones !== undefined && s.vpcId !== undefined,
      "zones and vpcId are both set",
      "A VPC of yours has its own zones: leave `zones` out.",
    ],
    [s.maxTasks < s.minTasks, "the setting maxTasks is less than minTasks", howTo("maxTasks")],
    [
      s.memory < least || s.memory > most || s.memory % 1024 !== 0,
      `Fargate has no task with cpu ${s.cpu} and memory ${s.memory}`,
      "With cpu 512 memory is 1024 to 4096; with 1024, 2048 to 8192; with 2048, 4096 to 16384; with 4096, 8192 to 30720; in steps of 1024.",
    ],
  ];
}

function invalid(sentence: string, hint: string, cause?: unknown): SallyportError {
  return new SallyportError("configuration-invalid", sentence, { hint, cause });
}
