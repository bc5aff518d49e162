import type { Command } from "commander";
import { SallyportError } from "../core/errors.ts";
import { siteOf } from "../functions/shared/site.ts";
import { type Api, apiOf } from "./api-client.ts";
import { configFolder, type Login, readLogins } from "./logins.ts";
import { type Output, outputTo } from "./output.ts";

const DEFAULT_SERVER = "http://127.0.0.1:8080";

/** What a command of ours works with. */
export interface Context {
  /** The origin of the Sallyport that is asked. */
  readonly server: string;
  /** Where log-ins are kept. */
  readonly folder: string;
  readonly out: Output;
  /** Nobody's, where one is not signed in. */
  readonly login: Login | undefined;
  /** As the person who is signed in. Throws `sign-in-required`. */
  readonly api: () => Api;
  /** As nobody. */
  readonly anonymous: () => Api;
}

/** What every command of ours takes. */
export interface CommonOptions {
  readonly server?: string;
  readonly json?: boolean;
}

type Handler = (context: Context, command: Command) => Promise<number | void>;

/** Adds what every command takes, and what it does: the number is the exit status, none is success. */
export function asks(command: Command, handler: Handler): Command {
  return withCommon(command).action(async (...given: unknown[]) => {
    const self = given.at(-1) as Command;
    const context = await contextOf(self.optsWithGlobals<CommonOptions>());
    process.exitCode = (await handler(context, self)) ?? 0;
  });
}

/** The same for a command that asks no server. */
export function offline(command: Command, handler: (out: Output, command: Command) => Promise<number | void>): Command {
  return withJson(command).action(async (...given: unknown[]) => {
    const self = given.at(-1) as Command;
    process.exitCode =
      (await handler(outputTo(process, self.optsWithGlobals<CommonOptions>().json === true), self)) ?? 0;
  });
}

export function withCommon(command: Command): Command {
  return withJson(command.option("--server <url>", "the Sallyport to ask (default: where you signed in last)"));
}

function withJson(command: Command): Command {
  return command.option("--json", "print JSON, also for errors");
}

export async function contextOf(options: CommonOptions): Promise<Context> {
  const folder = configFolder();
  const logins = await readLogins(folder);
  const server = serverOf(options.server ?? process.env["SALLYPORT_SERVER"] ?? logins.current ?? DEFAULT_SERVER);
  const login = logins.servers[server];
  return {
    server,
    folder,
    login,
    out: outputTo(process, options.json === true),
    anonymous: () => apiOf(server, undefined),
    api: () => {
      if (login === undefined)
        throw new SallyportError("sign-in-required", `you are not signed in at ${server}`, {
          hint: `Run \`sallyport login --server ${server}\`.`,
        });
      return apiOf(server, { bearer: login.token });
    },
  };
}

/** The origin; only where a token is safe on the way. */
function serverOf(text: string): string {
  try {
    return siteOf(text).origin;
  } catch (cause) {
    throw new SallyportError("bad-request", `"${text}" is no address of a Sallyport`, {
      hint: "It is https://host, or http:// on this machine alone.",
      cause,
    });
  }
}
