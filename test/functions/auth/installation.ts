import { randomBytes, randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { getRequestListener } from "@hono/node-server";
import { getConnInfo } from "@hono/node-server/conninfo";
import type { Hono } from "hono";
import { pino } from "pino";
import { auditTo } from "../../../core/audit/audit.ts";
import { NO_SERVICES } from "../../../core/config/services.ts";
import type { OidcProvider, Provider } from "../../../core/config/identity.ts";
import type { Principal, PrincipalId } from "../../../core/identity/principal.ts";
import { type TokenUse, issueSessionToken } from "../../../core/identity/session-token.ts";
import type { TokenId } from "../../../core/ports/sign-in-store.ts";
import { authApp } from "../../../functions/auth/app.ts";
import type { AuthDeps, ConnectionSummary } from "../../../functions/auth/deps.ts";
import { memoryAudit, type MemoryAudit } from "../../setup/memory-audit.ts";
import { openDatabase } from "../../../local/database.ts";
import { DEMO_PEOPLE } from "../../../local/demo-people.ts";
import { GROUPS_CLAIM, type RunningOidcProvider, startOidcProvider } from "../../../local/oidc-provider.ts";
import { sqlitePassStore } from "../../../local/pass-store.ts";
import { sqlitePeopleStore } from "../../../local/people-store.ts";
import { sqliteSessionStore } from "../../../local/session-store.ts";
import { sqliteSignInStore } from "../../../local/sign-in-store.ts";
import { sqliteSshKeyStore } from "../../../local/ssh-key-store.ts";

export const CLIENT = { id: "sallyport", secret: "s3cret:with%special&characters" };

export const CONNECTIONS: readonly ConnectionSummary[] = [
  { name: "shop", protocol: "postgres", description: "the shop's <orders>", access: ["engineers", "admins"] },
  { name: "billing", protocol: "postgres", description: "invoices", access: ["accountants"] },
];

export const CA_PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";

export type DepsInMemory = AuthDeps & {
  /** What was logged so far. */
  readonly log: string[];
  /** What was written to the audit log so far. */
  readonly audited: MemoryAudit;
  /** Lets time pass. */
  advance(ms: number): void;
};

export function oidcProvider(issuer: string, over: Partial<OidcProvider> = {}): OidcProvider {
  return {
    kind: "oidc",
    id: "oidc",
    domains: [],
    groupPrefix: "",
    groupsMaxAgeMinutes: 5,
    issuer,
    clientId: CLIENT.id,
    clientSecret: CLIENT.secret,
    scopes: ["openid", "email", "profile", "groups"],
    groupsClaim: GROUPS_CLAIM,
    ...over,
  };
}

/** All that `authApp` needs, in memory. */
export function depsInMemory(over: Partial<AuthDeps> & Pick<AuthDeps, "baseUrl">): DepsInMemory {
  const db = openDatabase(":memory:");
  const audited = memoryAudit();
  const log: string[] = [];
  let ahead = 0;
  return {
    providers: [oidcProvider("http://127.0.0.1:9")],
    tokenKey: randomBytes(32),
    passes: sqlitePassStore(db),
    signIns: sqliteSignInStore(db),
    people: sqlitePeopleStore(db),
    sessions: sqliteSessionStore(db),
    sshKeys: sqliteSshKeyStore(db),
    admins: ["admins"],
    connections: () => CONNECTIONS,
    services: () => NO_SERVICES,
    gateway: { host: "gateway.example", port: 5432, caPem: CA_PEM },
    clock: () => Date.now() + ahead,
    logger: pino({ base: null }, { write: (line: string) => void log.push(line) }),
    audit: auditTo(audited, randomUUID),
    clientAddress: () => "192.0.2.7",
    audited,
    log,
    advance: (ms) => void (ahead += ms),
    ...over,
  };
}

export const ALICE: Principal = principal("alice", "engineers");

export function principal(name: string, ...groups: string[]): Principal {
  return { kind: "user", id: `https://idp.example|${name}` as PrincipalId, name: `${name}@shop.example`, groups };
}

/** The header that signs a request in, without going through a provider, which has told of them just now. */
export async function signedIn(deps: AuthDeps, who: Principal, use: TokenUse = "cli"): Promise<Record<string, string>> {
  const { id, name, groups } = who;
  const seenAt = deps.clock();
  if (who.kind === "user")
    await deps.people.signedIn({ id, name, email: name, groups, seenAt, freshUntil: seenAt + 60_000 });
  const authority = { issuer: new URL(deps.baseUrl).origin, key: deps.tokenKey };
  const token = await issueSessionToken(authority, use, who, randomBytes(8).toString("hex") as TokenId, deps.clock());
  const cookie = deps.baseUrl.startsWith("https:") ? "__Host-sallyport" : "sallyport";
  return use === "cli" ? { authorization: `Bearer ${token}` } : { cookie: `${cookie}=${token}` };
}

export interface Installation {
  readonly baseUrl: string;
  readonly provider: RunningOidcProvider;
  readonly deps: DepsInMemory;
  close(): Promise<void>;
}

/** The auth app and the embedded provider, both listening, with the demo's people. */
export async function startInstallation(
  over: Partial<AuthDeps> = {},
  providers: (embedded: OidcProvider) => readonly Provider[] = (embedded) => [embedded],
): Promise<Installation> {
  let app: Hono | undefined;
  const listener = getRequestListener(async (request, env) =>
    app === undefined ? new Response(null, { status: 503 }) : app.fetch(request, env),
  );
  const server = createServer((request, response) => void listener(request, response));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const client = { ...CLIENT, redirectUris: [`${baseUrl}/auth/callback`] };
  const provider = await startOidcProvider({ port: 0, host: "127.0.0.1", people: DEMO_PEOPLE, client });
  const plain = depsInMemory({ baseUrl, clientAddress: (c) => getConnInfo(c).remote.address ?? "unknown", ...over });
  const deps = { ...plain, providers: providers(oidcProvider(provider.issuer)) };
  app = authApp(deps);
  const close = async (): Promise<void> => {
    server.close();
    server.closeAllConnections();
    await provider.close();
  };
  return { baseUrl, provider, deps, close };
}
