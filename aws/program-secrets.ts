import { GetSecretValueCommand, type SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { z } from "zod";
import { SallyportError } from "../core/errors.ts";
import { answered } from "./answered.ts";

/** Of a key of ours: what session tokens are signed and masked values hashed with. */
const KEY_BYTES = 32;
/** Base64url of that. */
const KEY = /^[A-Za-z0-9_-]{43}$/;

const pem = z.string().regex(/^-----BEGIN [A-Z ]+-----\r?\n/);
const tlsSecret = z.object({ cert: pem, key: pem, ca: pem });

/** What the gateway shows to its clients, in PEM. */
type TlsSecret = z.infer<typeof tlsSecret>;

/** The secrets that the stacks made for our own programs, by their ARNs (`aws/environment.ts`). Read once, when a program starts. */
export interface ProgramSecrets {
  /** The text as it is. */
  text(arn: string): Promise<string>;
  key(arn: string): Promise<Uint8Array>;
  tls(arn: string): Promise<TlsSecret>;
}

/** Throws `configuration-invalid` for a secret that is missing or of the wrong shape, `store-unavailable` where it cannot be read. */
export function programSecrets(client: SecretsManagerClient): ProgramSecrets {
  const text = (arn: string): Promise<string> =>
    answered("read a secret", async (abortSignal) => {
      const command = new GetSecretValueCommand({ SecretId: arn });
      const { SecretString } = await client.send(command, { abortSignal }).catch((cause: unknown) => {
        if (cause instanceof Error && cause.name === "ResourceNotFoundException")
          throw invalid(arn, "is missing", cause);
        throw cause;
      });
      if (SecretString === undefined) throw invalid(arn, "is no text");
      return SecretString;
    });
  return {
    text,
    async key(arn) {
      const given = (await text(arn)).trim();
      if (!KEY.test(given)) throw invalid(arn, `is not ${KEY_BYTES} bytes in base64url`);
      return Buffer.from(given, "base64url");
    },
    async tls(arn) {
      const parsed = tlsSecret.safeParse(jsonOf(await text(arn)));
      // The fault names the member at most, never a value.
      if (!parsed.success) throw invalid(arn, `is not {"cert": PEM, "key": PEM, "ca": PEM}`);
      return parsed.data;
    },
  };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function invalid(arn: string, why: string, cause?: unknown): SallyportError {
  return new SallyportError("configuration-invalid", `the secret ${arn} ${why}`, {
    cause,
    hint: "The stacks make it at the first deploy; docs/runbook.md says how it is replaced.",
  });
}
