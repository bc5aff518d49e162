import type { Logger } from "pino";
import { DEFAULT_GROUPS_MAX_AGE_MINUTES, DEFAULT_PROVIDER_ID } from "../core/config/identity.ts";
import { SallyportError } from "../core/errors.ts";
import { DEMO_PEOPLE } from "../local/demo-people.ts";
import { parseAddress } from "./address.ts";
import { SECRET_VARIABLE, type ServeFlags, SMTP_SECRET_VARIABLE } from "./commands/serve.ts";
import { readIdentityFile } from "./identity-file.ts";
import { newLogger } from "./log.ts";
import { readPrivate } from "./private-files.ts";
import { type IdentityProvider, serve, type ServeOptions } from "./serve.ts";
import { untilStopped } from "./until-stopped.ts";

/**
 * Runs the product until a signal ends it, or until it can record no more: then it throws that, so that whoever supervises
 * the process starts it again. Throws as `serve` does, and `bad-request` for what cannot be meant.
 */
export async function runServe(flags: ServeFlags): Promise<void> {
  process.stderr.on("error", () => {}); // a log that cannot be written, to a full disk say, ends no session
  const short = process.stderr.isTTY && flags.json !== true;
  const logger = newLogger(process.stderr, { level: flags.logLevel, short });
  const stopped = untilStopped((text) => logger.info(text)); // also while it starts
  const running = await serve(await optionsOf(flags, logger));
  const failed = await Promise.race([stopped, running.failed]);
  await running.close();
  if (failed !== undefined) throw failed;
}

async function optionsOf(flags: ServeFlags, logger: Logger): Promise<ServeOptions> {
  return {
    state: flags.state,
    config: flags.config,
    listen: parseAddress(flags.listen, "--listen"),
    sshListen: flags.sshListen === undefined ? undefined : parseAddress(flags.sshListen, "--ssh-listen"),
    http: parseAddress(flags.http, "--http"),
    publicUrl: flags.publicUrl,
    advertise: flags.advertise,
    tls: tlsOf(flags),
    retentionDays: retentionOf(flags),
    identity: await identityOf(flags),
    mail: await mailOf(flags),
    logger,
  };
}

function retentionOf({ retentionDays: given }: ServeFlags): number | undefined {
  if (given === undefined) return undefined;
  if (/^[1-9]\d{0,4}$/.test(given)) return Number(given);
  throw new SallyportError("bad-request", "--retention-days must be a whole number of days, 1 or more");
}

function tlsOf({ tlsCert, tlsKey, tlsCa }: ServeFlags): ServeOptions["tls"] {
  if (tlsCert === undefined && tlsKey === undefined && tlsCa === undefined) return undefined;
  if (tlsCert !== undefined && tlsKey !== undefined && tlsCa !== undefined)
    return { cert: tlsCert, key: tlsKey, ca: tlsCa };
  throw new SallyportError("bad-request", "--tls-cert, --tls-key and --tls-ca belong together");
}

async function identityOf(flags: ServeFlags): Promise<IdentityProvider> {
  if (flags.identity !== undefined) return identityOfFile(flags.identity, flags);
  if (flags.oidcIssuer === undefined)
    return { kind: "embedded", listen: parseAddress(flags.oidcListen, "--oidc-listen"), people: DEMO_PEOPLE };
  const clientSecret = await secretOf(flags.oidcClientSecretFile, SECRET_VARIABLE);
  if (flags.oidcClientId === undefined || clientSecret === undefined || clientSecret === "")
    throw new SallyportError(
      "bad-request",
      `--oidc-issuer needs --oidc-client-id, and --oidc-client-secret-file or ${SECRET_VARIABLE}`,
    );
  const oidc = {
    kind: "oidc" as const,
    id: DEFAULT_PROVIDER_ID,
    domains: [],
    groupPrefix: "",
    groupsMaxAgeMinutes: DEFAULT_GROUPS_MAX_AGE_MINUTES,
    issuer: flags.oidcIssuer,
    clientId: flags.oidcClientId,
    clientSecret,
    scopes: flags.oidcScopes.split(/[\s,]+/).filter(Boolean),
    groupsClaim: flags.oidcGroupsClaim,
  };
  return { kind: "external", providers: [oidc] };
}

async function identityOfFile(file: string, { oidcIssuer, oidcClientId }: ServeFlags): Promise<IdentityProvider> {
  if (oidcIssuer !== undefined || oidcClientId !== undefined)
    throw new SallyportError("bad-request", "--identity takes the place of --oidc-issuer and --oidc-client-id", {
      hint: "Put that provider into the file as well.",
    });
  return { kind: "settings", settings: await readIdentityFile(file) };
}

async function mailOf({ smtpUrl: url, smtpPasswordFile, mailFrom: from }: ServeFlags): Promise<ServeOptions["mail"]> {
  if (url === undefined && from === undefined) return undefined;
  if (url === undefined || from === undefined)
    throw new SallyportError("bad-request", "--smtp-url and --mail-from belong together");
  return { url, from, password: await secretOf(smtpPasswordFile, SMTP_SECRET_VARIABLE) };
}

async function secretOf(file: string | undefined, variable: string): Promise<string | undefined> {
  const text = file === undefined ? process.env[variable] : await readPrivate(file);
  return text?.replace(/\r?\n$/, "");
}
