/** How libpq reaches a connection through the gateway. */
export interface GatewayLogin {
  readonly host: string;
  readonly port: number;
  /** The connection's name, or `connection/database`. */
  readonly database: string;
  /** For prompts; it decides nothing. */
  readonly user: string;
  readonly pass: string;
  readonly caFile: string;
}

/** What of a person's own libpq variables concerns the session and not where it goes or who asks (PostgreSQL 18 §32.15). */
const OF_THE_SESSION: ReadonlySet<string> = new Set([
  "PGAPPNAME",
  "PGCLIENTENCODING",
  "PGCONNECT_TIMEOUT",
  "PGDATESTYLE",
  "PGGEQO",
  "PGOPTIONS",
  "PGTZ",
]);

/** The environment that leads libpq to the gateway. The pass is in it, and never among the arguments, which others can see. */
export function libpqEnvironment(login: GatewayLogin, env: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv {
  const kept = Object.entries(env).filter(([name]) => !name.startsWith("PG") || OF_THE_SESSION.has(name));
  return {
    ...Object.fromEntries(kept),
    PGHOST: login.host,
    PGPORT: String(login.port),
    PGDATABASE: login.database,
    PGUSER: login.user,
    PGPASSWORD: login.pass,
    PGSSLMODE: "verify-full",
    PGSSLROOTCERT: login.caFile,
    // Asking for it first would cost a round trip, and the gateway declines.
    PGGSSENCMODE: "disable",
  };
}

const INSTALL: Readonly<Record<string, string>> = {
  darwin: "brew install libpq && brew link --force libpq",
  linux: "sudo apt-get install postgresql-client, or sudo dnf install postgresql",
};

/** What to tell a person who has no psql. */
export function howToInstallPsql(platform: string = process.platform): string {
  return `Install it: ${INSTALL[platform] ?? "https://www.postgresql.org/download/"}`;
}
