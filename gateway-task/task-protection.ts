import type { Logger } from "pino";
import { z } from "zod";
import { SallyportError } from "../core/errors.ts";
import { alone } from "./alone.ts";

/** How soon a session that has begun is protected, and what failed is tried again. */
const CHECK_MS = 5_000;
/** What a task that dies leaves protected is soon free; ECS takes from 1 minute to 2,880. */
const PROTECTED_MINUTES = 15;
/** Often enough that two renewals in a row may fail. */
const RENEW_MS = 5 * 60_000;
/** The agent is on the same host. */
const ANSWER_WITHIN_MS = 5_000;
/** An answer is a few hundred bytes. */
const MAX_ANSWER_BYTES = 64 << 10;

/** What the agent answers (Amazon ECS task scale-in protection endpoint): `failure` and `error` where it was not done. */
const agentAnswer = z.object({
  protection: z.object({ ProtectionEnabled: z.boolean() }).optional(),
  failure: z.object({ Reason: z.string() }).optional(),
  error: z.object({ Code: z.string(), Message: z.string() }).optional(),
});

export interface ProtectionOptions {
  /** `ECS_AGENT_URI`, as the agent gives it to containers. */
  readonly agent: string;
  readonly liveSessions: () => number;
  /** A task that is never idle would keep a deploy from its end: this long after it was first protected it no longer is, in milliseconds. */
  readonly longestMs: number;
  readonly logger: Logger;
  readonly checkMs?: number;
  readonly renewMs?: number;
  readonly monotonic?: () => number;
}

/**
 * Keeps ECS from stopping this task, by scaling in or by a deploy, while sessions live. Never throws: where the agent does not do
 * it, the log says so and it is asked again; a task without protection still drains when it is stopped.
 */
export function protectWhileLive(options: ProtectionOptions): { close(): Promise<void> } {
  const { liveSessions, longestMs, logger, checkMs = CHECK_MS, renewMs = RENEW_MS } = options;
  const { monotonic = () => performance.now() } = options;
  let enabled = false;
  let askedAt = Number.NEGATIVE_INFINITY;
  /** Since when sessions have lived here without a pause. */
  let busySince: number | undefined;

  const set = async (wanted: boolean): Promise<void> => {
    const at = monotonic();
    await ask(options.agent, wanted);
    if (enabled !== wanted) logger.info({ protected: wanted }, "this task's protection from being stopped has changed");
    enabled = wanted;
    askedAt = at;
  };
  const check = alone(async () => {
    const now = monotonic();
    busySince = liveSessions() === 0 ? undefined : (busySince ?? now);
    const wanted = busySince !== undefined && now - busySince < longestMs;
    if (wanted === enabled && (!wanted || now - askedAt < renewMs)) return;
    try {
      await set(wanted);
    } catch (error) {
      logger.warn({ err: error, wanted }, "this task's protection from being stopped could not be set");
    }
  });
  const timer = setInterval(() => void check(), checkMs);
  return {
    async close() {
      clearInterval(timer);
      await check();
      if (enabled) await set(false).catch((error: unknown) => logger.warn({ err: error }, "the protection stays"));
    },
  };
}

async function ask(agent: string, wanted: boolean): Promise<void> {
  const body = { ProtectionEnabled: wanted, ...(wanted ? { ExpiresInMinutes: PROTECTED_MINUTES } : {}) };
  const response = await fetch(`${agent.replace(/\/$/, "")}/task-protection/v1/state`, {
    method: "PUT",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
    redirect: "error",
    signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
  });
  const answer = agentAnswer.safeParse(await boundedJson(response));
  if (answer.success && response.ok && answer.data.protection?.ProtectionEnabled === wanted) return;
  const { failure, error } = answer.data ?? {};
  const why = failure?.Reason ?? (error === undefined ? `HTTP ${response.status}` : `${error.Code}: ${error.Message}`);
  throw new SallyportError("store-unavailable", `the ECS agent has not set the protection: ${why}`);
}

/** Undefined where it is too long or no JSON. */
async function boundedJson({ body }: Response): Promise<unknown> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of (body ?? []) as AsyncIterable<Uint8Array>) {
    length += chunk.length;
    if (length > MAX_ANSWER_BYTES) return undefined;
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString("utf8")) as unknown;
  } catch {
    return undefined;
  }
}
