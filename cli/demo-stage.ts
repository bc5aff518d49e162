import { randomBytes } from "node:crypto";
import { createWriteStream } from "node:fs";
import { cp, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { Client } from "pg";
import { parseDocument } from "yaml";
import { SallyportError } from "../core/errors.ts";
import { DEMO_PEOPLE } from "../local/demo-people.ts";
import { type RunningPostgres, startEmbeddedPostgres } from "../local/embedded-postgres.ts";
import { type RunningSshTarget, startEmbeddedSshTarget } from "../local/embedded-ssh-target.ts";
import { type ListenAddress, parseAddress, showAddress } from "./address.ts";
import type { DemoFlags } from "./commands/demo.ts";
import { type DemoFolder, freshDemoFolder, removeTargets } from "./demo-folder.ts";
import { WEB_FILES } from "./demo-ssh-script.ts";
import { newLogger } from "./log.ts";
import { PRIVATE_FILE } from "./private-files.ts";
import { type Running, serve } from "./serve.ts";
import { createShop } from "./shop.ts";

/** The connection of the example configuration that the demo is about, and its secret. */
export const DEMO_CONNECTION = "shop";
/** The connection to the shop's web server, by SSH, and the secret that is its key. */
export const WEB_CONNECTION = "web-1";
const WEB_SECRET = "web-1-key";
const EXAMPLES = new URL("../config/", import.meta.url);
const HOST = "127.0.0.1";
const PORTS = { gateway: 6432, ssh: 2222, http: 8080, oidc: 8081 };
/** Long enough that nobody guesses it, short enough to type. */
const PASSWORD_BYTES = 6;

/** A shop's database and web server behind a gateway, and everything that belongs to it, running in this process. */
export interface DemoStage {
  readonly running: Running;
  readonly folder: DemoFolder;
  readonly postgres: RunningPostgres;
  readonly web: RunningSshTarget;
  /**
   * Everyone's, and new each time: who signs in as an engineer gets a shell of whoever runs the demo, and the other users of
   * this machine must not.
   */
  readonly password: string;
  /** As the server says it, such as `18.4`. */
  readonly version: string;
  readonly shopRows: number;
  readonly caFile: string;
  /** What the shop's owner sees, past the gateway. */
  readonly truth: (sql: string) => Promise<readonly unknown[]>;
  close(): Promise<void>;
}

export async function setDemoStage(flags: DemoFlags): Promise<DemoStage> {
  const folder = await freshDemoFolder(flags.state);
  const superuserPassword = randomBytes(24).toString("base64url");
  const postgres = await startEmbeddedPostgres({ directory: folder.postgres, superuserPassword });
  let web: RunningSshTarget | undefined;
  const leave = async (): Promise<void> => {
    await web?.stop();
    await postgres.stop();
    await removeTargets(folder);
  };
  try {
    web = await startEmbeddedSshTarget({ directory: folder.web, name: WEB_CONNECTION, files: WEB_FILES });
    const appPassword = randomBytes(24).toString("base64url");
    const shop = await openShop(postgres, appPassword);
    const truth = (sql: string): Promise<readonly unknown[]> =>
      asSuperuser(postgres, DEMO_CONNECTION, async (client) =>
        (await client.query({ text: sql, rowMode: "array" })).rows.flat(),
      );
    await configure(folder, { postgres, appPassword, web });
    const password = randomBytes(PASSWORD_BYTES).toString("base64url");
    const running = await start(flags, folder, password);
    const { host, ssh } = running.gateway;
    if (ssh !== undefined) await writeFile(folder.knownHosts, `[${host}]:${ssh.port} ${ssh.hostKey}\n`);
    const close = async (): Promise<void> => {
      await running.close();
      await leave();
    };
    const caFile = join(folder.state, "tls", "ca.pem");
    return { running, folder, postgres, web, password, ...shop, truth, caFile, close };
  } catch (thrown) {
    await leave();
    throw thrown;
  }
}

async function openShop(
  postgres: RunningPostgres,
  appPassword: string,
): Promise<{ version: string; shopRows: number }> {
  await asSuperuser(postgres, "postgres", async (client) => client.query(`create database ${DEMO_CONNECTION}`));
  return asSuperuser(postgres, DEMO_CONNECTION, async (client) => {
    const { rows } = await client.query<{ server_version: string }>("show server_version");
    return { version: rows[0]?.server_version ?? "", shopRows: await createShop(client, { appPassword }) };
  });
}

async function asSuperuser<T>(
  { host, port, superuser: user, password }: RunningPostgres,
  database: string,
  work: (client: Client) => Promise<T>,
): Promise<T> {
  const client = new Client({ host, port, user, password, database });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

interface Targets {
  readonly postgres: RunningPostgres;
  readonly appPassword: string;
  readonly web: RunningSshTarget;
}

/** The example configuration with its policies and masks, but for the port of the shop's server; and the web server. */
async function configure({ config, state }: DemoFolder, { postgres, appPassword, web }: Targets): Promise<void> {
  await cp(EXAMPLES, config, { recursive: true });
  const document = parseDocument(await readFile(new URL("connections.yaml", EXAMPLES), "utf8"));
  const shop = ["connections", DEMO_CONNECTION];
  document.setIn([...shop, "target", "port"], postgres.port);
  document.setIn(["connections", WEB_CONNECTION], {
    protocol: "ssh",
    description: "The shop's web server",
    environment: document.getIn([...shop, "environment"]),
    target: { host: web.host, port: web.port, hostKeys: [web.hostKey] },
    credentials: { user: web.user, key: { secret: WEB_SECRET } },
    access: ["engineers", "admins"],
  });
  await writeFile(join(config, "connections.yaml"), document.toString());
  await writeFile(join(state, "secrets", WEB_SECRET), web.key, { mode: PRIVATE_FILE });
  const secret = document.getIn([...shop, "credentials", "password", "secret"]);
  if (typeof secret !== "string")
    throw new SallyportError("configuration-invalid", `the example's ${DEMO_CONNECTION} names no secret`);
  await writeFile(join(state, "secrets", secret), `${appPassword}\n`, { mode: PRIVATE_FILE });
}

async function start(flags: DemoFlags, folder: DemoFolder, password: string): Promise<Running> {
  return serve({
    state: folder.state,
    config: folder.config,
    listen: await portOf(flags.port, PORTS.gateway, "--port"),
    sshListen: await portOf(flags.sshPort, PORTS.ssh, "--ssh-port"),
    http: await portOf(flags.httpPort, PORTS.http, "--http-port"),
    publicUrl: undefined,
    advertise: undefined,
    tls: undefined,
    identity: {
      kind: "embedded",
      listen: await portOf(flags.oidcPort, PORTS.oidc, "--oidc-port"),
      people: DEMO_PEOPLE.map((person) => ({ ...person, password })),
    },
    logger: newLogger(createWriteStream(folder.log, { mode: PRIVATE_FILE }), { level: "info", short: false }),
  });
}

/** Where one of the demo's servers listens: as it was asked, or as usual, or where nobody else does. */
async function portOf(given: string | undefined, usual: number, option: string): Promise<ListenAddress> {
  if (given === undefined) return { host: HOST, port: (await isFree(usual)) ? usual : 0 };
  const address = { host: HOST, port: parseAddress(given, option).port };
  if (await isFree(address.port)) return address;
  throw new SallyportError("conflict", `${showAddress(address)} is in use by another program`, {
    hint: `Give another one with ${option}, or none.`,
  });
}

function isFree(port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once("error", () => resolve(false));
    server.listen(port, HOST, () => server.close(() => resolve(true)));
  });
}
