import { readFile, stat } from "node:fs/promises";
import pg from "pg";
import { createShop, SHOP_OWNER } from "../../cli/shop.ts";
import type { StatementEvent } from "../../core/recording/events.ts";
import type { RunningPostgres } from "../../local/embedded-postgres.ts";
import { startTestGateway, type TestGateway, type TestGatewayOptions } from "./gateway.ts";
import type { JdbcPlace } from "./jdbc.ts";
import type { PostgresServer } from "./postgres.ts";
import { direct, throughGateway } from "./programs.ts";

const OWNER_PASSWORD = "owner-secret";
/** As log_line_prefix: which role, and a mark that no statement has. */
const LOG_MARK = "~|~";

/** A server with a database of its owner's, `shop`, and a gateway before it that logs in as that owner. */
export interface ShopJourney {
  readonly server: RunningPostgres;
  readonly gateway: TestGateway;
  /** A superuser, connected to the server itself. */
  readonly admin: pg.Client;
  /** libpq's environment through the gateway, with a new pass. */
  through(database?: string): Promise<NodeJS.ProcessEnv>;
  /** libpq's environment past it, as the same role. */
  past(database?: string): NodeJS.ProcessEnv;
  /** How node-postgres reaches the gateway, with a new pass. */
  config(): Promise<pg.ClientConfig>;
  /** A client through the gateway, not yet connected. */
  client(own?: pg.ClientConfig): Promise<pg.Client>;
  /** How JDBC reaches the gateway, with a new pass. */
  jdbcThrough(properties?: JdbcPlace["properties"]): Promise<JdbcPlace>;
  /** How JDBC reaches the server itself, as the same role. */
  jdbcPast(properties?: JdbcPlace["properties"]): JdbcPlace;
  /** From now on, for `logged` and `recorded`. */
  mark(): Promise<void>;
  /** What the server says that it was asked since the mark, by the gateway's role: one text a Query or Execute, sorted. */
  logged(): Promise<string[]>;
  /** The same, from the recordings of the sessions that began since the mark; waits until they have ended. */
  recorded(): Promise<string[]>;
  stop(): Promise<void>;
}

export interface ShopOptions extends Omit<TestGatewayOptions, "target"> {
  /** Fills the database with the demo's shop. */
  readonly filled?: boolean;
}

export async function startShop(which: PostgresServer, options: ShopOptions = {}): Promise<ShopJourney> {
  const server = await which.start({
    settings: { log_statement: "all", log_line_prefix: `%u${LOG_MARK}`, max_connections: "300" },
  });
  const { host, port } = server;
  const admin = await connectAdmin(server, options.filled ?? false);
  const target = { host, port, database: "shop", otherDatabases: true, user: SHOP_OWNER, password: OWNER_PASSWORD };
  const gateway = await startTestGateway({ ...options, target });
  const config = async (): Promise<pg.ClientConfig> => {
    const tls = { ca: await readFile(gateway.caFile, "utf8") };
    const where = { host: gateway.host, port: gateway.port, database: "shop", user: "whoever", ssl: tls };
    return { ...where, password: await gateway.pass() };
  };
  let logFrom = 0;
  let seen = new Set<string>();
  return {
    server,
    gateway,
    admin,
    through: async (database = "shop") => throughGateway(gateway, await gateway.pass(), database),
    past: (database = "shop") => direct(server, SHOP_OWNER, OWNER_PASSWORD, database),
    config,
    client: async (own = {}) => {
      const client = new pg.Client({ ...(await config()), ...own });
      client.on("error", () => {}); // the test that breaks it says what it expects
      return client;
    },
    jdbcThrough: async (properties = {}) => {
      const tls = { sslmode: "verify-full", sslrootcert: gateway.caFile };
      const own = { user: "whoever", password: await gateway.pass(), ...tls, ...properties };
      return { host: gateway.host, port: gateway.port, database: "shop", properties: own };
    },
    jdbcPast: (properties = {}) => ({
      host,
      port,
      database: "shop",
      properties: { user: SHOP_OWNER, password: OWNER_PASSWORD, sslmode: "disable", ...properties },
    }),
    async mark() {
      logFrom = (await stat(server.logFile)).size;
      seen = new Set((await gateway.sessions()).map(({ id }) => id));
    },
    logged: async () => statementsIn((await readFile(server.logFile)).subarray(logFrom).toString()),
    async recorded() {
      const since = (await gateway.sessions()).filter(({ id }) => !seen.has(id));
      const sessions = await Promise.all(since.map(async ({ id }) => gateway.closed(id)));
      return sessions.flatMap(({ statements }) => askedTexts(statements)).toSorted();
    },
    async stop() {
      await gateway.close();
      await admin.end();
      await server.stop();
    },
  };
}

async function connectAdmin(server: RunningPostgres, filled: boolean): Promise<pg.Client> {
  const { host, port, superuser: user, password } = server;
  const first = new pg.Client({ host, port, user, password, database: "postgres" });
  await first.connect();
  await first.query(`create role ${SHOP_OWNER} login password '${OWNER_PASSWORD}'`);
  await first.query(`create database shop owner ${SHOP_OWNER}`);
  await first.end();
  const admin = new pg.Client({ host, port, user, password, database: "shop" });
  await admin.connect();
  if (filled) await createShop(admin, { appPassword: "app-secret", ownerPassword: OWNER_PASSWORD });
  return admin;
}

/** Statements in a server's log (log_statement = all): a message's further lines begin with a tab. */
function statementsIn(log: string): string[] {
  const entries = log.replaceAll("\n\t", "\u0000").split("\n");
  const asked = new RegExp(`^${SHOP_OWNER}${LOG_MARK.replaceAll("|", "\\|")}LOG:  (?:statement|execute [^:]*): (.*)$`);
  const texts = entries.map((entry) => asked.exec(entry)?.[1]?.replaceAll("\u0000", "\n"));
  return texts.filter((text) => text !== undefined).toSorted();
}

/** One text for every Query and Execute: a Query of several statements has an event for each of its results. */
function askedTexts(statements: readonly StatementEvent[]): string[] {
  const another = ({ via, askedAt, text }: StatementEvent, at: number): boolean => {
    const before = statements[at - 1];
    return via !== "simple" || before?.askedAt !== askedAt || before.text !== text;
  };
  return statements.filter(another).map(({ text }) => text);
}
