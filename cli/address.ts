import { isIP, isIPv6 } from "node:net";
import { SallyportError } from "../core/errors.ts";

/** Where a server listens; port 0 takes a free one. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

const MAX_PORT = 65_535;
/** RFC 1123 §2.1, with RFC 1035 §2.3.4's length. */
const HOST_NAME = /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/i;
const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|::1)$/;
/** What `localhost` reaches. */
const LOCALHOST: ReadonlySet<string> = new Set(["localhost", "127.0.0.1", "::1", "0.0.0.0", "::"]);

/**
 * `host:port`, `[::1]:port`, or a port alone, which is then on 127.0.0.1. Throws `bad-request`.
 * @param what names the option in the message
 */
export function parseAddress(text: string, what: string): ListenAddress {
  const parts = /^(?:(?:\[(?<v6>[0-9a-fA-F:.]+)\]|(?<host>[^:[\]]+)):)?(?<port>\d{1,5})$/.exec(text)?.groups;
  const host = parts?.["v6"] ?? parts?.["host"] ?? "127.0.0.1";
  const port = Number(parts?.["port"] ?? NaN);
  const named = parts?.["v6"] === undefined ? isHost(host) : isIPv6(host);
  if (port <= MAX_PORT && named) return { host, port };
  throw new SallyportError("bad-request", `${what} must be host:port, [IPv6]:port, or a port; not "${text}"`);
}

/** A name or an IP address. */
export function isHost(host: string): boolean {
  return isIP(host) > 0 || HOST_NAME.test(host);
}

export function showAddress({ host, port }: ListenAddress): string {
  return `${inUrl(host)}:${port}`;
}

/** RFC 3986 §3.2.2. */
export function inUrl(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}

/** Can only this machine reach it? */
export function isLoopbackHost(host: string): boolean {
  return LOOPBACK.test(host);
}

/** What clients call a server that listens there: a name that every certificate check understands, where there is one. */
export function clientHost(host: string): string {
  return LOCALHOST.has(host) ? "localhost" : host;
}

const LISTEN_FAULTS: Readonly<Record<string, string>> = {
  EADDRINUSE: "is in use by another program",
  EACCES: "may not be listened on by this user",
  EADDRNOTAVAIL: "is not an address of this machine",
  ENOTFOUND: "is not an address of this machine",
};

/** What a failed `listen` means to a person; whatever else went wrong stays as it is. */
export function listenFault(thrown: unknown, address: ListenAddress, option: string): unknown {
  const code = thrown instanceof Error && "code" in thrown ? String(thrown.code) : "";
  const fault = LISTEN_FAULTS[code];
  if (fault === undefined) return thrown;
  return new SallyportError("conflict", `${showAddress(address)} ${fault}`, {
    hint: `Give another one with ${option}.`,
    cause: thrown,
  });
}
