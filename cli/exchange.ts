import { z } from "zod";
import { ERRORS, type ErrorCode, SallyportError } from "../core/errors.ts";
import { CALLER_IDENTITY_TYPE, signCallerIdentity, STS_REGIONS } from "../core/identity/caller-identity.ts";

const GRANT = "urn:ietf:params:oauth:grant-type:token-exchange";
/** RFC 8693 §3. */
const JWT_TYPE = "urn:ietf:params:oauth:token-type:jwt";
/** An issuer or STS may have to be asked. */
const TIMEOUT_MS = 30_000;
const MAX_ANSWER_BYTES = 64 << 10;

/** What proves who one is, in place of a log-in. */
export interface Proof {
  readonly type: string;
  readonly text: string;
}

interface ExchangeWish {
  readonly subject: Proof;
  readonly actor: Proof | undefined;
  readonly connection: string | undefined;
}

const passAnswer = z.object({
  access_token: z.string(),
  expires_in: z.number(),
  pass_id: z.string(),
  scope: z.string().optional(),
});
const refusal = z.object({
  error: z.string(),
  error_description: z.string().optional(),
  code: z.string().optional(),
  hint: z.string().optional(),
});

/** Asks for a pass by RFC 8693. Throws what the server told, or `server-unreachable`. */
export async function exchangeForPass(server: string, wish: ExchangeWish): Promise<z.infer<typeof passAnswer>> {
  const form = new URLSearchParams({
    grant_type: GRANT,
    subject_token: wish.subject.text,
    subject_token_type: wish.subject.type,
    ...(wish.actor && { actor_token: wish.actor.text, actor_token_type: wish.actor.type }),
    ...(wish.connection !== undefined && { audience: wish.connection }),
  });
  const { status, body } = await posted(server, form);
  const issued = passAnswer.safeParse(body);
  if (status === 200 && issued.success) return issued.data;
  const told = refusal.safeParse(body);
  if (!told.success)
    throw new SallyportError("server-unreachable", `${server} does not answer as a Sallyport does (status ${status})`, {
      hint: "Give the address of its pages with --server.",
    });
  const { error, error_description: message, code = "", hint } = told.data;
  const known = Object.hasOwn(ERRORS, code) ? (code as ErrorCode) : "sign-in-failed";
  throw new SallyportError(known, message ?? error, hint === undefined ? {} : { hint });
}

async function posted(server: string, body: URLSearchParams): Promise<{ status: number; body: unknown }> {
  try {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    // A redirect would carry the token elsewhere.
    const response = await fetch(new URL("/oauth/token", server), { method: "POST", body, redirect: "manual", signal });
    const text = await textOf(response);
    return { status: response.status, body: parsed(text) };
  } catch (cause) {
    const why = cause instanceof Error && cause.cause instanceof Error ? cause.cause.message : String(cause);
    throw new SallyportError("server-unreachable", `${server} cannot be reached: ${why}`, {
      hint: "Is it the right one? Another is named with --server.",
      cause,
    });
  }
}

async function textOf({ body }: Response): Promise<string> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of body ?? []) {
    size += piece.length;
    if (size > MAX_ANSWER_BYTES) throw new Error("the answer is too long");
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString("utf8");
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** A token as it stands in a file or a variable: with a line's end, perhaps. Throws `bad-request`. */
export function tokenProof(text: string, where: string): Proof {
  const token = text.trim();
  if (/^[\w-]+\.[\w-]+\.[\w-]+$/.test(token)) return { type: JWT_TYPE, text: token };
  throw new SallyportError("bad-request", `there is no JWT in ${where}`, {
    hint: "It is three parts of base64url with dots between them, such as an ID token.",
  });
}

/**
 * A signed GetCallerIdentity by the credentials that the SDK finds: environment, profile, web identity, container, instance.
 * @param audience the server that it is for. Throws `sign-in-required` where there are none, `bad-request` for no region of STS.
 */
export async function awsProof(audience: string, env: NodeJS.ProcessEnv, now: number): Promise<Proof> {
  const region = env["AWS_REGION"] ?? env["AWS_DEFAULT_REGION"];
  if (region !== undefined && !STS_REGIONS.has(region))
    throw new SallyportError("bad-request", `"${region}" is no region of AWS whose STS is known here`, {
      hint: "Set AWS_REGION to one such as eu-west-1.",
    });
  const credentials = await awsCredentials(region ?? "us-east-1");
  return { type: CALLER_IDENTITY_TYPE, text: signCallerIdentity(credentials, { audience, region, now }) };
}

async function awsCredentials(
  region: string,
): Promise<{ accessKeyId: string; secretAccessKey: string; sessionToken?: string | undefined }> {
  // Loaded here alone: no other command waits for it. Any client of the SDK has the same chain of providers.
  const { SecretsManagerClient } = await import("@aws-sdk/client-secrets-manager");
  const client = new SecretsManagerClient({ region });
  try {
    return await client.config.credentials();
  } catch (cause) {
    throw new SallyportError("sign-in-required", "there are no credentials of AWS here", {
      hint: "They come from the environment, a profile, the container or the instance: `aws sts get-caller-identity` must work.",
      cause,
    });
  } finally {
    client.destroy();
  }
}
