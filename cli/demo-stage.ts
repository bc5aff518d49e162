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
import { type ListenAddress, parseAddress, showAddress } from "./address.ts";
import type { DemoFlags } from "./commands/demo.ts";
import { type DemoFolder, freshDemoFolder, removeCluster } from "./demo-folder.ts";
import { newLogger } from "./log.ts";
import { PRIVATE_FILE } from "./private-files.ts";
import { type Running, serve } from "./serve.ts";
import { createShop } from "./shop.ts";

/** The connection of the example configuration that the demo is about, and its secret. */
export const DEMO_CONNECTION = "shop";
const EXAMPLES = new URL("../config/", import.meta.url);
const HOST = "127.0.0.1";
const PORTS = { gateway: 6432, http: 8080, oidc: 8081 };

/** A shop behind a gateway, and everything that belongs to it, running in this process. */
export interface DemoStage {
  readonly running: Running;
  readonly folder: DemoFolder;
  readonly postgres: RunningPostgres;
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
  const leave = async (): Promise<void> => {
    await postgres.stop();
    await removeCluster(folder);
  };
  try {
    const appPassword = randomBytes(24).toString("base64url");
    const shop = await openShop(postgres, appPassword);
    const truth = (sql: string): Promise<readonly unknown[]> =>
      asSuperuser(postgres, DEMO_CONNECTION, async (client) =>
        (await client.query({ text: sql, rowMode: "array" })).rows.flat(),
      );
    await configure(folder, postgres.port, appPassword);
    const running = await start(flags, folder);
    const close = async (): Promise<void> => {
      await running.close();
      await leave();
    };
    return { running, folder, postgres, ...shop, truth, caFile: join(folder.state, "tls", "ca.pem"), close };
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

/** The example configuration with its policies and masks, but for the port of the shop's server. */
async function configure({ config, state }: DemoFolder, port: number, appPassword: string): Promise<void> {
  await cp(EXAMPLES, config, { recursive: true });
  const document = parseDocument(await readFile(new URL("connections.yaml", EXAMPLES), "utf8"));
  const shop = ["connections", DEMO_CONNECTION];
  document.setIn([...shop, "target", "port"], port);
  await writeFile(join(config, "connections.yaml"), document.toString());
  const secret = document.getIn([...shop, "credentials", "password", "secret"]);
  if (typeof secret !== "string")
    throw new SallyportError("configuration-invalid", `the example's ${DEMO_CONNECTION} names no secret`);
  await writeFile(join(state, "secrets", secret), `${appPassword}\n`, { mode: PRIVATE_FILE });
}

async function start(flags: DemoFlags, folder: DemoFolder): Promise<Running> {
  return serve({
    state: folder.state,
    config: folder.config,
    listen: await portOf(flags.port, PORTS.gateway, "--port"),
    http: await portOf(flags.httpPort, PORTS.http, "--http-port"),
    publicUrl: undefined,
    advertise: undefined,
    tls: undefined,
    identity: {
      kind: "embedded",
      listen: await portOf(flags.oidcPort, PORTS.oidc, "--oidc-port"),
      people: DEMO_PEOPLE,
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
