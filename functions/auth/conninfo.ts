import type { ConnectionSummary, GatewayAddress } from "./deps.ts";

/** The name under which people keep the gateway's certificate authority. */
export const CA_FILE = "sallyport-ca.pem";

/**
 * A libpq connection string (PostgreSQL 18 §32.1.1.1) without a password: the pass is typed, or given in PGPASSWORD.
 * The user name is left to the client, as it decides nothing.
 */
export function conninfo(gateway: GatewayAddress, connection: ConnectionSummary): string {
  return Object.entries({
    host: gateway.host,
    port: String(gateway.port),
    dbname: connection.name,
    sslmode: "verify-full",
    sslrootcert: CA_FILE,
  })
    .map(([key, value]) => `${key}=${quoted(value)}`)
    .join(" ");
}

/** A value with anything but plain characters stands in quotes. */
function quoted(value: string): string {
  return /^[\w.:/-]+$/.test(value) ? value : `'${value.replace(/[\\']/g, "\\$&")}'`;
}
