import { z } from "zod";
import { SallyportError } from "../errors.ts";
import { readSshPublicKey } from "../identity/ssh-key.ts";

const secretRef = z.strictObject({
  /** Name of a secret in the deployment's secret store; the value itself never stands in the configuration. */
  secret: z.string().min(1).max(512),
});

const targetTls = z.strictObject({
  /** `verify-full` checks the chain and the host name; `disable` is for targets on loopback or inside an encrypted network. */
  mode: z.enum(["verify-full", "disable"]).default("verify-full"),
  /** PEM of the certificate authorities to trust, in place of the system's. */
  ca: z.string().optional(),
  /** The name to verify, where it is not the host. */
  serverName: z.string().optional(),
});

/** What every connection has, whatever it speaks. */
const common = {
  description: z.string().max(200).default(""),
  environment: z.string().max(64).default("default"),
  /** Groups whose members may connect. Nobody else may: an empty list opens it to no one. */
  access: z.array(z.string().min(1).max(256)).max(256),
  durability: z.enum(["intent", "strict"]).default("intent"),
};

const postgresConnection = z
  .strictObject({
    ...common,
    protocol: z.literal("postgres"),
    target: z.strictObject({
      host: z.string().min(1).max(255),
      port: z.number().int().min(1).max(65_535).default(5432),
      database: z.string().min(1).max(63),
      /** Clients may name another database as `connection/database`. */
      otherDatabases: z.boolean().default(false),
      tls: targetTls.prefault({}),
    }),
    credentials: z.discriminatedUnion("iam", [
      z.strictObject({
        user: z.string().min(1).max(63),
        password: secretRef.optional(),
        iam: z.undefined().optional(),
      }),
      /** A token of RDS IAM authentication in a password's place, which is good for 15 minutes. */
      z.strictObject({
        user: z.string().min(1).max(63),
        iam: z.literal(true),
        region: z
          .string()
          .regex(/^[a-z]{2}(-[a-z]+)+-\d$/, "a region, such as eu-central-1")
          .optional(),
      }),
    ]),
  })
  .refine(({ credentials, target }) => credentials.iam !== true || target.tls.mode === "verify-full", {
    message: "credentials by iam need tls.mode verify-full: the target gets the token in clear text inside TLS",
    path: ["target", "tls", "mode"],
  });

/**
 * A line of a target's `/etc/ssh/ssh_host_*_key.pub`, or of the `.pub` file of one that signs certificates (sshd(8), AUTHORIZED_KEYS FILE
 * FORMAT): type, base64, and maybe a comment.
 */
const publicKeyLine = z
  .string()
  .max(8_192)
  .regex(/^[a-z0-9@.-]+ [A-Za-z0-9+/]+={0,2}(?: .*)?$/, "a public key as in ssh_host_ed25519_key.pub: type and base64")
  .refine(isAcceptedKey, "must be an ed25519, ECDSA or RSA key");

function isAcceptedKey(line: string): boolean {
  try {
    readSshPublicKey(Buffer.from(line.split(" ")[1] ?? "", "base64"));
    return true;
  } catch {
    return false;
  }
}

const sshTarget = z
  .strictObject({
    host: z.string().min(1).max(255),
    port: z.number().int().min(1).max(65_535).default(22),
    /** The keys that the target may show. There is no trust on first use. */
    hostKeys: z.array(publicKeyLine).max(16).default([]),
    /** Or who may have certified its key, as `@cert-authority` in a known_hosts file (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT). */
    hostCertificateAuthorities: z.array(publicKeyLine).max(16).default([]),
    /** The name that a certificate must be for, where it is not the host. */
    hostPrincipal: z.string().min(1).max(255).optional(),
  })
  .refine(({ hostKeys, hostCertificateAuthorities }) => hostKeys.length + hostCertificateAuthorities.length > 0, {
    message: "must name the target's host keys, or who certifies them: there is no trust on first use",
    path: ["hostKeys"],
  });

const sshUser = z.string().min(1).max(64);

const sshConnection = z.strictObject({
  ...common,
  protocol: z.literal("ssh"),
  target: sshTarget,
  /** Who may certify people's keys for signing in here: a certificate is for whoever it names by their address or id. */
  userCertificateAuthorities: z.array(publicKeyLine).max(16).default([]),
  /** What a shell is: one of the target's, or one of the gateway's that judges each line, and runs it by itself. */
  shell: z.enum(["open", "guarded"]).default("open"),
  credentials: z.union([
    z.strictObject({ user: sshUser, password: secretRef }),
    /** A private key in OpenSSH's or PEM format, without a passphrase. */
    z.strictObject({ user: sshUser, key: secretRef }),
    /** The private key of an authority that the target trusts: for each session it certifies a new key, for some minutes. */
    z.strictObject({ user: sshUser, certificateAuthority: secretRef }),
  ]),
});

/** A connection's name stands in `dbname` before a slash, and in host names later: no slash, no dot, no space. */
const connectionName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9_-]{0,62}$/, "lower-case letters, digits, - and _; at most 63");

const anyConnection = z.discriminatedUnion("protocol", [postgresConnection, sshConnection]);
const connectionsFile = z.strictObject({ connections: z.record(connectionName, anyConnection) });

export type PostgresConnection = z.infer<typeof postgresConnection> & { readonly name: string };
export type SshConnection = z.infer<typeof sshConnection> & { readonly name: string };
export type ConnectionConfig = PostgresConnection | SshConnection;
/** The connections of one protocol. */
export type ConnectionOf<P extends ConnectionConfig["protocol"]> = Extract<ConnectionConfig, { protocol: P }>;
export type Connections = ReadonlyMap<string, ConnectionConfig>;

/** The connections of a parsed `connections.yaml`. Throws `configuration-invalid` naming every fault and its place. */
export function parseConnections(document: unknown): Connections {
  const parsed = connectionsFile.safeParse(document);
  if (!parsed.success)
    throw new SallyportError(
      "configuration-invalid",
      `connections.yaml is not valid:\n${z.prettifyError(parsed.error)}`,
    );
  return new Map(Object.entries(parsed.data.connections).map(([name, row]) => [name, { ...row, name }]));
}
