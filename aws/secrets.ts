import { GetSecretValueCommand, type SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import type { Instant } from "../core/brand.ts";
import { SallyportError } from "../core/errors.ts";
import type { Clock } from "../core/ports/clock.ts";
import type { Secrets } from "../core/ports/secrets.ts";
import { answered } from "./answered.ts";

/** What Secrets Manager lets names be made of (CreateSecret, Name); no ARN, which would be another account's or any secret of this one. */
const NAME = /^[A-Za-z0-9/_+=.@-]{1,256}$/;
/** Secrets that RDS keeps for its master users have names that nobody can choose. */
const RDS_NAME = /^rds![A-Za-z0-9-]{1,128}$/;
/** Whoever is let in is let in for a pass's hour; a password that is known for minutes longer makes no difference, a call per log-in would. */
const MAX_AGE_MS = 5 * 60_000;
/** Secrets in memory: more targets than one gateway has. The oldest goes first. */
const MAX_KEPT = 1_000;

interface Kept {
  readonly since: Instant;
  readonly value: Promise<string>;
}

export interface ManagedSecretsOptions {
  readonly client: SecretsManagerClient;
  /** Before each name, `rds!…` apart: what a task may read. */
  readonly prefix: string;
  readonly clock: Clock;
}

/**
 * Secrets of AWS Secrets Manager, kept in memory for minutes. Of a secret in JSON that has a `password`, as those are that RDS keeps, it
 * is the password; any other text is the secret itself, one line feed at its end apart.
 */
export function managedSecrets({ client, prefix, clock }: ManagedSecretsOptions): Secrets {
  const kept = new Map<string, Kept>();
  const read = (name: string): Promise<string> => {
    const value = answered("read a secret", (signal) => readSecret(client, idOf(prefix, name), name, signal));
    const entry = { since: clock(), value };
    kept.delete(name);
    kept.set(name, entry);
    for (const [oldest] of kept) {
      if (kept.size <= MAX_KEPT) break;
      kept.delete(oldest);
    }
    value.catch(() => {
      if (kept.get(name) === entry) kept.delete(name);
    });
    return value;
  };
  return {
    get: async (name, fresh) => {
      const known = kept.get(name);
      if (known === undefined || fresh || clock() - known.since >= MAX_AGE_MS) return read(name);
      return known.value;
    },
  };
}

function idOf(prefix: string, name: string): string {
  if (RDS_NAME.test(name)) return name;
  if (NAME.test(name)) return prefix + name;
  throw new SallyportError("not-found", `"${name}" cannot be the name of a secret`);
}

async function readSecret(
  client: SecretsManagerClient,
  id: string,
  name: string,
  abortSignal: AbortSignal,
): Promise<string> {
  try {
    const { SecretString } = await client.send(new GetSecretValueCommand({ SecretId: id }), { abortSignal });
    if (SecretString !== undefined) return secretIn(SecretString);
  } catch (cause) {
    const why = cause instanceof Error ? cause.name : "";
    if (why === "ResourceNotFoundException")
      throw new SallyportError("not-found", `the secret "${name}" is missing`, {
        cause,
        hint: `In Secrets Manager it would be "${id}".`,
      });
    if (why !== "AccessDeniedException") throw cause;
    throw new SallyportError("store-unavailable", `the gateway may not read the secret "${name}"`, {
      cause,
      hint: `Its role must be allowed secretsmanager:GetSecretValue on "${id}", and kms:Decrypt on that secret's key.`,
    });
  }
  throw new SallyportError("not-found", `the secret "${name}" is no text`);
}

function secretIn(text: string): string {
  if (text.startsWith("{")) {
    try {
      const { password } = JSON.parse(text) as { password?: unknown };
      if (typeof password === "string") return password;
    } catch {
      // No JSON: a password may begin with a brace.
    }
  }
  return text.replace(/\r?\n$/, "");
}
