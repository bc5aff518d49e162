import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { pino } from "pino";
import { type Api, apiOf } from "../../cli/api-client.ts";
import { type SessionView, sessionsView } from "../../cli/api-views.ts";
import { type Running, serve } from "../../cli/serve.ts";
import { DEMO_PASSWORD, DEMO_PEOPLE } from "../../local/demo-people.ts";
import type { Person } from "../../local/oidc-provider.ts";
import { browserless, signInOverHttp } from "./http-sign-in.ts";
import { postgresServers } from "./postgres.ts";
import { type Ran, run, type RunOptions } from "./programs.ts";

/** The program as people run it. */
export const SALLYPORT = fileURLToPath(new URL("../../bin/sallyport.js", import.meta.url));
const CLOSED_WITHIN_MS = 20_000;

export interface Product {
  readonly running: Running;
  readonly directory: string;
  /** The API as it answers one of the demo's people, who signs in by a browser. */
  as(person: string): Promise<Api>;
  /** Somebody at a terminal of their own, where nobody is signed in. */
  terminal(): Promise<Terminal>;
  close(): Promise<void>;
}

export interface Terminal {
  /** Where the command line keeps its files. */
  readonly config: string;
  readonly env: NodeJS.ProcessEnv;
  /** Runs `sallyport` to its end. */
  sallyport(args: readonly string[], options?: Omit<RunOptions, "cwd">): Promise<Ran & { readonly text: string }>;
  start(args: readonly string[]): ChildProcessWithoutNullStreams;
  /** Signs in, and agrees to it in a browser as that person. */
  signIn(person: string): Promise<void>;
}

/**
 * The whole product in this process, before a real PostgreSQL: `shop` is for engineers, `payroll`, the same, for accountants,
 * of whom there are none.
 * @param people whom the embedded identity provider knows; what is changed of them, it tells from then on
 */
export async function startProduct(people: readonly Person[] = DEMO_PEOPLE): Promise<Product> {
  const directory = await mkdtemp(join(tmpdir(), "sallyport-test-product-"));
  const [server] = postgresServers();
  if (server === undefined) throw new Error("there is no PostgreSQL to test with");
  const postgres = await server.start();
  const [state, config] = [join(directory, "state"), join(directory, "config")];
  await mkdir(join(state, "secrets"), { recursive: true, mode: 0o700 });
  await mkdir(config);
  await writeFile(join(state, "secrets", "target"), postgres.password, { mode: 0o600 });
  await writeFile(join(config, "connections.yaml"), JSON.stringify(connections(postgres)));
  const here = { host: "127.0.0.1", port: 0 };
  const running = await serve({
    state,
    config,
    listen: here,
    http: here,
    publicUrl: undefined,
    advertise: undefined,
    tls: undefined,
    identity: { kind: "embedded", listen: here, people },
    logger: pino({ level: "silent" }),
  });
  return {
    running,
    directory,
    as: async (user) => apiOf(running.url, await signInOverHttp(running.url, { user, password: DEMO_PASSWORD })),
    terminal: async () => newTerminal(running.url, await mkdtemp(join(directory, "home-"))),
    close: async () => {
      await running.close();
      await postgres.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

function connections({ port, superuser }: { port: number; superuser: string }): object {
  const shop = {
    protocol: "postgres",
    description: "The shop's database",
    target: { host: "127.0.0.1", port, database: "postgres", tls: { mode: "disable" } },
    credentials: { user: superuser, password: { secret: "target" } },
    access: ["engineers"],
  };
  return { connections: { shop, payroll: { ...shop, description: "Salaries", access: ["accountants"] } } };
}

/** Somebody at a terminal whose home is this folder. */
export async function newTerminal(url: string, home: string): Promise<Terminal> {
  await chmod(home, 0o700);
  const ours = { HOME: home, XDG_CONFIG_HOME: home, SALLYPORT_SERVER: url, PSQLRC: "/dev/null" };
  const env = { ...process.env, ...ours };
  const terminal: Terminal = {
    config: join(home, "sallyport"),
    env,
    sallyport: async (args, options = {}) => {
      const ran = await run(process.execPath, [SALLYPORT, ...args], { ...options, env: { ...env, ...options.env } });
      return { ...ran, text: ran.stdout.toString() };
    },
    start: (args) => spawn(process.execPath, [SALLYPORT, ...args], { env }),
    signIn: async (person) => {
      const status = await decideLogin(terminal, person, "approve");
      if (status !== 0) throw new Error(`signing in as ${person} ended with status ${status}`);
    },
  };
  return terminal;
}

/**
 * Runs `sallyport login`, opens the link that it prints in a browser, signs in there and decides.
 * @returns the command's status
 */
export async function decideLogin(
  terminal: Terminal,
  person: string,
  decision: "approve" | "deny",
): Promise<number | null> {
  const child = terminal.start(["login"]);
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  const browser = browserless();
  const review = await browser.open(await linkOf(child));
  const page = await browser.submit(review, { user: person, password: DEMO_PASSWORD });
  await browser.submit(page, { decision });
  return ended;
}

async function linkOf({ stderr }: ChildProcessWithoutNullStreams): Promise<string> {
  let said = "";
  for await (const piece of stderr) {
    said += String(piece);
    const link = /http:\S+user_code=\S+(?=\s)/.exec(said)?.[0];
    if (link !== undefined) return link;
  }
  throw new Error(`no link was printed: ${said}`);
}

/** The newest session of the connection `shop`, once it is over. */
export async function newestClosed(api: Api): Promise<SessionView> {
  for (const until = Date.now() + CLOSED_WITHIN_MS; Date.now() < until; await delay(20)) {
    const [newest] = (await api.json({ path: "/api/sessions?connection=shop&limit=1" }, sessionsView)).sessions;
    if (newest && !newest.live) return newest;
  }
  throw new Error(`no session was closed within ${CLOSED_WITHIN_MS} ms`);
}
