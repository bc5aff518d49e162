import { unlink } from "node:fs/promises";
import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";
import { z } from "zod";
import { SallyportError } from "../core/errors.ts";
import { makeFolder, systemCode } from "../local/files.ts";
import { PRIVATE_FILE, PRIVATE_FOLDER, PUBLIC_FILE, readPrivate, replaceFile } from "./private-files.ts";
import { HOST_KEY_ALIAS } from "./ssh.ts";

const login = z.object({
  /** The bearer token; the reason why nobody else may read the file. */
  token: z.string(),
  expiresAt: z.string(),
  /** The principal's, for people to read. */
  name: z.string(),
});
export type Login = z.infer<typeof login>;

const file = z.object({
  version: z.literal(1),
  /** Where one signed in last: the server when none is named. */
  current: z.string().nullable(),
  /** By origin. */
  servers: z.record(z.string(), login),
});
export type Logins = z.infer<typeof file>;

const NONE: Logins = { version: 1, current: null, servers: {} };

/** XDG Base Directory Specification: a relative path in the variable counts for nothing. */
export function configFolder(env: NodeJS.ProcessEnv = process.env): string {
  const given = env["XDG_CONFIG_HOME"];
  return join(given !== undefined && isAbsolute(given) ? given : join(homedir(), ".config"), "sallyport");
}

/** Throws `configuration-invalid` where others may read the file, or where it is none of ours. */
export async function readLogins(folder: string): Promise<Logins> {
  const path = pathOf(folder);
  const text = await readPrivate(path);
  if (text === undefined) return NONE;
  try {
    return file.parse(JSON.parse(text));
  } catch (cause) {
    throw new SallyportError("configuration-invalid", `${path} is not a list of log-ins`, {
      hint: "Remove it, and run `sallyport login` again.",
      cause,
    });
  }
}

/** What a server tells of its gateway, which clients are to believe from then on. */
interface Trusted {
  /** PEM of its certificate authority. */
  readonly caPem: string;
  /** Its SSH host key, `type base64`; undefined where it takes no SSH connections. */
  readonly hostKey: string | undefined;
}

/**
 * Keeps a log-in and what proves that server's gateway, and makes it the current one.
 * @returns the file of the authority
 */
export async function keepLogin(folder: string, server: string, kept: Login, trusted: Trusted): Promise<string> {
  await makeFolder(folder, PRIVATE_FOLDER);
  const authority = caFile(folder, server);
  await replaceFile(authority, trusted.caPem, PUBLIC_FILE);
  const known = knownHostsFile(folder, server);
  if (trusted.hostKey === undefined) await unlink(known).catch(unlessAbsent);
  else await replaceFile(known, `${HOST_KEY_ALIAS} ${trusted.hostKey}\n`, PUBLIC_FILE);
  const { servers } = await readLogins(folder);
  await write(folder, { version: 1, current: server, servers: { ...servers, [server]: kept } });
  return authority;
}

/** Forgets a log-in; false where there was none. */
export async function forgetLogin(folder: string, server: string): Promise<boolean> {
  const { servers, current } = await readLogins(folder);
  if (!Object.hasOwn(servers, server)) return false;
  const rest = Object.fromEntries(Object.entries(servers).filter(([name]) => name !== server));
  await write(folder, { version: 1, current: current === server ? null : current, servers: rest });
  for (const kept of [caFile(folder, server), knownHostsFile(folder, server)]) await unlink(kept).catch(unlessAbsent);
  return true;
}

/** Where the authority of a server's gateway is kept, for `sslrootcert`. */
export function caFile(folder: string, server: string): string {
  return join(folder, `ca-${inFileName(server)}.pem`);
}

/** Where the host key of a server's gateway is kept, for `UserKnownHostsFile`. */
export function knownHostsFile(folder: string, server: string): string {
  return join(folder, `known_hosts-${inFileName(server)}`);
}

function inFileName(server: string): string {
  return server.replace(/[^A-Za-z0-9.]+/g, "-");
}

function pathOf(folder: string): string {
  return join(folder, "logins.json");
}

function write(folder: string, logins: Logins): Promise<void> {
  return replaceFile(pathOf(folder), `${JSON.stringify(logins, undefined, 2)}\n`, PRIVATE_FILE);
}

function unlessAbsent(thrown: unknown): void {
  if (systemCode(thrown) !== "ENOENT") throw thrown;
}
