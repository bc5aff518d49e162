import { z } from "zod";
import { SallyportError } from "../errors.ts";

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

const postgresConnection = z.strictObject({
  protocol: z.literal("postgres"),
  description: z.string().max(200).default(""),
  environment: z.string().max(64).default("default"),
  target: z.strictObject({
    host: z.string().min(1).max(255),
    port: z.number().int().min(1).max(65_535).default(5432),
    database: z.string().min(1).max(63),
    /** Clients may name another database as `connection/database`. */
    otherDatabases: z.boolean().default(false),
    tls: targetTls.prefault({}),
  }),
  credentials: z.strictObject({ user: z.string().min(1).max(63), password: secretRef.optional() }),
  /** Groups whose members may connect. Nobody else may: an empty list opens it to no one. */
  access: z.array(z.string().min(1).max(256)).max(256),
  durability: z.enum(["intent", "strict"]).default("intent"),
});

/** A connection's name stands in `dbname` before a slash, and in host names later: no slash, no dot, no space. */
const connectionName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9_-]{0,62}$/, "lower-case letters, digits, - and _; at most 63");

const connectionsFile = z.strictObject({ connections: z.record(connectionName, postgresConnection) });

export type ConnectionConfig = z.infer<typeof postgresConnection> & { readonly name: string };
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
