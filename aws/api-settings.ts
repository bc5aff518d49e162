import { SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { clientOptions } from "./client-options.ts";
import { type ProgramSecrets, programSecrets } from "./program-secrets.ts";
import { arnOf, type Environment, origin, text, told } from "./told.ts";

/** What every function of the API is told, with its secrets. */
export interface ApiSettings {
  /** Origin of pages and API. */
  readonly baseUrl: string;
  /** 32 bytes that sign sessions. */
  readonly tokenKey: Uint8Array;
  /** What our distribution shows with each request; undefined where the API is reached by itself. */
  readonly originSecret: string | undefined;
  readonly auditors: readonly string[];
  readonly admins: readonly string[];
  readonly secrets: ProgramSecrets;
}

/** Names with commas between. */
const groups = text
  .transform((list) => list.split(",").map((name) => name.trim()))
  .refine((names) => names.every((name) => name !== ""), "is no list of groups");

/** A table's or a bucket's. */
export const resourceName = text.regex(/^[\w.-]{3,255}$/, "is no name of a table or bucket");

/**
 * What a client of S3 is made with.
 * @param requestTimeoutMs how long one attempt may take, body included
 */
export function s3Options(environment: Environment, requestTimeoutMs?: number) {
  // A bucket's name stands in the path where a local engine stands in for S3: it has no names of hosts for each.
  return { ...clientOptions(requestTimeoutMs), forcePathStyle: environment["AWS_ENDPOINT_URL_S3"] !== undefined };
}

/** Rejects with `configuration-invalid`, which has a sentence for each fault, or `store-unavailable`. */
export async function apiSettings(environment: Environment): Promise<ApiSettings> {
  const names = told(environment, {
    publicUrl: origin,
    tokenKeySecret: arnOf("secretsmanager"),
    originSecret: arnOf("secretsmanager").optional(),
    auditors: groups,
    admins: groups,
  });
  const secrets = programSecrets(new SecretsManagerClient(clientOptions()));
  const [tokenKey, originSecret] = await Promise.all([
    secrets.key(names.tokenKeySecret),
    names.originSecret === undefined ? undefined : secrets.text(names.originSecret),
  ]);
  return {
    baseUrl: names.publicUrl,
    tokenKey,
    originSecret: originSecret?.trim(),
    auditors: names.auditors,
    admins: names.admins,
    secrets,
  };
}
