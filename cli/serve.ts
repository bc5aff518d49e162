import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import { join } from "node:path";
import { createSecureContext } from "node:tls";
import type { Logger } from "pino";
import {
  DEFAULT_GROUPS_MAX_AGE_MINUTES,
  DEFAULT_PROVIDER_ID,
  type IdentitySettings,
  type Provider,
  resolveIdentity,
} from "../core/config/identity.ts";
import type { Configuration } from "../core/config/configuration.ts";
import { asSallyportError, SallyportError } from "../core/errors.ts";
import type { ApprovalDesk } from "../core/ports/approval-desk.ts";
import type { GatewayAddress } from "../functions/auth/deps.ts";
import { checkSamlProviders } from "../functions/auth/saml-sign-in.ts";
import { siteOf } from "../functions/shared/site.ts";
import { type GatewayDeps, startGateway } from "../gateway-task/gateway.ts";
import { watchConfiguration } from "../local/configuration.ts";
import { GROUPS_CLAIM, type Person, startOidcProvider } from "../local/oidc-provider.ts";
import type { SmtpOptions } from "../local/smtp-mailer.ts";
import { type LocalState, openLocalState } from "../local/state.ts";
import { clientHost, inUrl, isHost, isLoopbackHost, type ListenAddress, listenFault, showAddress } from "./address.ts";
import { type Approvals, composeApprovals } from "./approvals.ts";
import { composeAudit } from "./audit.ts";
import { givenCertificate, ownCertificate, type ServerCertificate } from "./certificates.ts";
import { listenForHttp } from "./http-server.ts";
import { atCanonicalHost, AUDITORS, clientAddress, pagesOf } from "./pages.ts";
import { keepFor } from "./retention.ts";
import { type SshListening, sshListening } from "./ssh-listening.ts";
import { maskingKey, tokenKey } from "./token-key.ts";

/** What is told when nothing else was asked for: sessions end, recordings are stored. */
const CLOSE_WITHIN_MS = 10_000;

/** Who signs people in. */
export type IdentityProvider =
  | { readonly kind: "external"; readonly providers: readonly Provider[] }
  /** With secrets in the folder `secrets` of the state. */
  | { readonly kind: "settings"; readonly settings: IdentitySettings }
  /** In this process, for one machine: its people's passwords are no secret. */
  | { readonly kind: "embedded"; readonly listen: ListenAddress; readonly people: readonly Person[] };

export interface ServeOptions {
  /** Folder of everything that is kept. */
  readonly state: string;
  /** Folder of `connections.yaml`, `policies/` and `directory.yaml`. */
  readonly config: string;
  /** The gateway, for PostgreSQL clients. */
  readonly listen: ListenAddress;
  /** The gateway, for SSH clients. By default at port 2222 beside `listen`, where a connection is of SSH when it starts. */
  readonly sshListen?: ListenAddress | undefined;
  /** After how many days recordings of ended sessions are removed; by default never. */
  readonly retentionDays?: number | undefined;
  /** Pages and API. */
  readonly http: ListenAddress;
  /** Where browsers reach the pages, if not at `http` itself. */
  readonly publicUrl: string | undefined;
  /** What clients call the gateway's host, if not by where it listens. */
  readonly advertise: string | undefined;
  /** Files of PEM, in place of a certificate of our own making. */
  readonly tls: { readonly cert: string; readonly key: string; readonly ca: string } | undefined;
  readonly identity: IdentityProvider;
  /** The mail server that approvers are told by. Without one their mails are kept, for each of them to read on a page. */
  readonly mail?: SmtpOptions | undefined;
  readonly logger: Logger;
}

export interface Running {
  /** The origin of pages and API. */
  readonly url: string;
  /** Where native clients connect to, and what they must trust. */
  readonly gateway: GatewayAddress;
  /** Who signs people in: an issuer, or several with commas between them. */
  readonly issuer: string;
  readonly approvals: Pick<Approvals, "desk" | "outbox">;
  /** Resolves when nothing can be recorded any more. */
  readonly failed: Promise<SallyportError>;
  /** Ends live sessions with a clear error, stores what was recorded, and lets go of everything. */
  close(withinMs?: number): Promise<void>;
}

type Closer = (withinMs: number) => Promise<void> | void;

/**
 * The whole product on one machine, in this process: gateway, pages, API and, where asked for, an identity provider.
 * Rejects with `configuration-invalid`, or `conflict` for ports and folders that another has; nothing is left running then.
 */
export async function serve(options: ServeOptions): Promise<Running> {
  const closers: Closer[] = [];
  const close = async (withinMs = CLOSE_WITHIN_MS): Promise<void> => {
    for (let closer = closers.pop(); closer; closer = closers.pop()) await closer(withinMs);
  };
  try {
    return { ...(await start(options, closers)), close };
  } catch (thrown) {
    await close();
    throw thrown;
  }
}

/** In the order of what needs what; each that started tells how it is closed. */
async function start(options: ServeOptions, closers: Closer[]): Promise<Omit<Running, "close">> {
  const { logger } = options;
  demandLocalIfEmbedded(options);
  const state = await openState(options.state);
  closers.push(() => state.close());
  if (options.retentionDays !== undefined) {
    const retention = keepFor({ days: options.retentionDays, state, clock: Date.now, logger });
    closers.push(() => retention.close());
  }
  const hashing = await maskingKey(join(options.state, "masking-key"));
  const configuration = await watchConfiguration(options.config, hashing, logger);
  closers.push(() => configuration.close());
  const certificate = await certificateOf(options);
  const key = await tokenKey(join(options.state, "token-key"));
  const http = await at(options.http, "--http", listenForHttp(options.http));
  closers.push(() => http.close());
  const url = originOf(options, http.port);
  const providers = await identityProviders(options, { url, state }, closers);
  const issuer = providers.map((one) => (one.kind === "oidc" ? one.issuer : `saml:${one.id}`)).join(", ");
  const following = composeAudit(options.state, state, logger);
  closers.push((withinMs) => following.close(withinMs));
  const { audit } = following;
  const parts = { options, state, configuration, auditors: [AUDITORS], url, key, audit, clientAddress };
  const approvals = composeApprovals(parts);
  closers.push(() => approvals.close());
  const ssh = await sshListening(options, configuration.connections(), url);
  const task = startGateway(
    gatewayDeps({
      options,
      state: { ...state, chunks: following.chunks },
      configuration,
      approvals: approvals.desk,
      certificate,
      ssh,
    }),
  );
  const gateway = await at(options.listen, "--listen", task);
  closers.push((withinMs) => gateway.close(withinMs));
  const reached = {
    host: options.advertise ?? clientHost(options.listen.host),
    port: gateway.postgresPort,
    caPem: certificate.ca,
    ssh: ssh && { port: gateway.sshPort ?? ssh.listen.port, hostKey: ssh.hostKey.publicKey },
  };
  const pages = pagesOf({ audit, url, state, configuration, key, providers, gateway: reached, approvals, logger });
  // A proxy may well ask by another name than the public one.
  http.use(options.publicUrl === undefined ? atCanonicalHost(url, pages) : pages);
  logger.info({ url, gateway: showAddress(reached), issuer }, "ready");
  return { url, gateway: reached, issuer, approvals, failed: gateway.failed };
}

/** Browsers keep sessions safe over https only, and on loopback. */
function originOf({ publicUrl, http }: ServeOptions, port: number): string {
  if (publicUrl !== undefined) return siteOf(publicUrl).origin;
  if (isLoopbackHost(http.host)) return siteOf(`http://${inUrl(http.host)}:${port}`).origin;
  throw new SallyportError("configuration-invalid", `${showAddress(http)} can be reached from others without https`, {
    hint: "Put a TLS proxy before it, and give the address that browsers use with --public-url.",
  });
}

async function openState(folder: string): Promise<LocalState> {
  try {
    return await openLocalState(folder);
  } catch (thrown) {
    const why = thrown instanceof Error ? thrown.message : "";
    throw asSallyportError(thrown, "configuration-invalid", `the state folder ${folder} cannot be used: ${why}`);
  }
}

async function at<T>(address: ListenAddress, option: string, listening: Promise<T>): Promise<T> {
  try {
    return await listening;
  } catch (thrown) {
    throw listenFault(thrown, address, option);
  }
}

/** The embedded provider's passwords are printed in our documentation: it must not let anyone in from elsewhere. */
function demandLocalIfEmbedded({ identity, listen, sshListen, http }: ServeOptions): void {
  if (identity.kind !== "embedded") return;
  const open = [listen, sshListen ?? listen, http, identity.listen].find(({ host }) => !isLoopbackHost(host));
  if (open === undefined) return;
  throw new SallyportError(
    "configuration-invalid",
    `the embedded identity provider is for this machine alone, and ${showAddress(open)} can be reached from others`,
    {
      hint: "Give your own providers with --identity, or one with --oidc-issuer, --oidc-client-id and SALLYPORT_OIDC_CLIENT_SECRET.",
    },
  );
}

async function certificateOf({ tls, state, listen, advertise }: ServeOptions): Promise<ServerCertificate> {
  if (tls !== undefined) return givenCertificate(tls);
  const names = ["localhost", "127.0.0.1", "::1", clientHost(listen.host), advertise ?? "localhost"];
  const refused = names.find((name) => !isHost(name));
  if (refused !== undefined) throw new SallyportError("configuration-invalid", `"${refused}" is no host name`);
  return ownCertificate(join(state, "tls"), [...new Set(names)], new Date());
}

async function identityProviders(
  { identity, logger }: ServeOptions,
  { url, state }: { readonly url: string; readonly state: LocalState },
  closers: Closer[],
): Promise<readonly Provider[]> {
  if (identity.kind === "external") return identity.providers;
  if (identity.kind === "settings") {
    const providers = await resolveIdentity(identity.settings, state.secrets);
    await checkSamlProviders(providers.filter((one) => one.kind === "saml"));
    return providers;
  }
  const { listen, people } = identity;
  const client = { id: "sallyport", secret: randomBytes(32).toString("base64url") };
  const redirectUris = [`${url}/auth/callback`];
  const starting = startOidcProvider({ ...listen, people, client: { ...client, redirectUris } });
  const provider = await at(listen, "--oidc-listen", starting);
  closers.push(() => provider.close());
  const names = people.map(({ sub }) => sub);
  logger.warn({ issuer: provider.issuer, people: names }, "the embedded identity provider is on: for local use only");
  return [
    {
      kind: "oidc",
      id: DEFAULT_PROVIDER_ID,
      domains: [],
      groupPrefix: "",
      groupsMaxAgeMinutes: DEFAULT_GROUPS_MAX_AGE_MINUTES,
      issuer: provider.issuer,
      clientId: client.id,
      clientSecret: client.secret,
      scopes: ["openid", "email", "profile", GROUPS_CLAIM],
      groupsClaim: GROUPS_CLAIM,
    },
  ];
}

interface GatewayParts {
  readonly options: ServeOptions;
  readonly state: LocalState;
  readonly configuration: Configuration;
  readonly approvals: ApprovalDesk;
  readonly certificate: ServerCertificate;
  readonly ssh: SshListening | undefined;
}

function gatewayDeps(parts: GatewayParts): GatewayDeps {
  const { options, state, configuration, approvals, certificate, ssh } = parts;
  const { listen, logger } = options;
  const { cert, key } = certificate;
  return {
    ...state,
    task: `${hostname()}-${process.pid}-${randomBytes(4).toString("hex")}`,
    connections: configuration.connections,
    policies: configuration.policies,
    masking: ({ name, environment }) => configuration.masking()?.forConnection(name, environment),
    approvals,
    clock: Date.now,
    logger,
    postgres: { listen, tls: createSecureContext({ cert, key }), plaintextOnLoopback: false },
    ssh: ssh && { ...ssh, hostKey: ssh.hostKey.privateKey, ...signInStores(state) },
  };
}

/** What signing in by SSH asks and leaves. */
function signInStores({ signIns, people, sshKeys }: LocalState): Pick<LocalState, "signIns" | "people" | "sshKeys"> {
  return { signIns, people, sshKeys };
}
