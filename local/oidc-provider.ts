import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { once } from "node:events";
import { type IncomingMessage, type ServerResponse, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { exportJWK, generateKeyPair } from "jose";
import { type Adapter, type Configuration, Provider } from "oidc-provider";
import { LOGIN_PAGE_HEADERS, loginErrorPage, loginPage } from "./oidc-login-page.ts";
import { oidcMemory } from "./oidc-memory.ts";

export interface Person {
  /** The subject: never given to another person. */
  readonly sub: string;
  readonly email: string;
  readonly name: string;
  readonly groups: readonly string[];
  readonly password: string;
}

export interface OidcProviderOptions {
  /** 0 takes a free one. */
  readonly port: number;
  /** An address of this machine alone, such as `127.0.0.1`. */
  readonly host: string;
  readonly people: readonly Person[];
  readonly client: { readonly id: string; readonly secret: string; readonly redirectUris: readonly string[] };
}

export interface RunningOidcProvider {
  readonly issuer: string;
  /** A new signing key at once; the old one is no longer published. */
  rotateKeys(): Promise<void>;
  close(): Promise<void>;
}

/** The claim that lists a person's groups, and the scope that asks for it. */
export const GROUPS_CLAIM = "groups";

const INTERACTION = /^\/interaction\/([\w-]{1,64})$/;
/** A user and a password. */
const MAX_FORM_BYTES = 4096;
/** Guesses at one person's password in a window, right or wrong. */
const MAX_ATTEMPTS = 20;
const ATTEMPTS_WINDOW_MS = 5 * 60 * 1000;
const HOUR_SECONDS = 60 * 60;

type Interaction = Awaited<ReturnType<Provider["interactionDetails"]>>;
type Memory = (model: string) => Adapter;

/**
 * An OpenID Connect provider in this process, for local mode and for tests: authorization code with PKCE (S256), one
 * client, a few people with passwords. Its sessions and keys live as long as it does.
 */
export async function startOidcProvider(options: OidcProviderOptions): Promise<RunningOidcProvider> {
  const memory = oidcMemory();
  const cookieKeys = [randomBytes(32).toString("base64url")];
  const logIn = passwordCheck(options.people);
  const server = createServer();
  server.listen(options.port, options.host);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const issuer = `http://${options.host.includes(":") ? `[${options.host}]` : options.host}:${port}`;

  let provider: Provider;
  let handle: ReturnType<Provider["callback"]>;
  const rotateKeys = async (): Promise<void> => {
    provider = newProvider(issuer, options, memory, cookieKeys, await newSigningKey());
    handle = provider.callback();
  };
  await rotateKeys();
  server.on("request", (request, response) => {
    const interaction = INTERACTION.exec(request.url?.split("?", 1)[0] ?? "");
    if (interaction === null) void handle(request, response);
    else void interact(provider, logIn, request, response).catch(() => failed(response));
  });
  return {
    issuer,
    rotateKeys,
    close: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}

async function newSigningKey(): Promise<Record<string, unknown>> {
  const { privateKey } = await generateKeyPair("ES256", { extractable: true });
  return { ...(await exportJWK(privateKey)), use: "sig", alg: "ES256", kid: randomBytes(8).toString("hex") };
}

/** What is the same for every provider. */
const CONFIGURATION: Configuration = {
  responseTypes: ["code"],
  pkce: { required: () => true },
  claims: {
    openid: ["sub"],
    email: ["email", "email_verified"],
    profile: ["name", "preferred_username"],
    [GROUPS_CLAIM]: [GROUPS_CLAIM],
  },
  // The claims go into the ID token, where relying parties look for groups, and not only to the userinfo endpoint.
  conformIdTokenClaims: false,
  // Our gateway asks again whenever it issues something: a person whose groups have changed, or who is gone, is told of at once.
  issueRefreshToken: () => true,
  rotateRefreshToken: true,
  // People sign in by turns in one browser of one machine: the next one's session does not end the last one's terminal.
  expiresWithSession: () => false,
  features: { devInteractions: { enabled: false }, rpInitiatedLogout: { enabled: false } },
  interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
  ttl: {
    AccessToken: HOUR_SECONDS / 6,
    AuthorizationCode: 60,
    IdToken: HOUR_SECONDS / 6,
    Interaction: HOUR_SECONDS / 6,
    Grant: 8 * HOUR_SECONDS,
    RefreshToken: 8 * HOUR_SECONDS,
    Session: 8 * HOUR_SECONDS,
  },
  renderError: (ctx, out) => {
    ctx.set(LOGIN_PAGE_HEADERS);
    ctx.body = loginErrorPage(`${out.error}: ${out.error_description ?? ""}`);
  },
};

function newProvider(
  issuer: string,
  { people, client }: OidcProviderOptions,
  adapter: Memory,
  cookieKeys: string[],
  signingKey: Record<string, unknown>,
): Provider {
  const provider: Provider = new Provider(issuer, {
    ...CONFIGURATION,
    adapter,
    jwks: { keys: [signingKey] },
    cookies: { keys: cookieKeys },
    clients: [
      {
        client_id: client.id,
        client_secret: client.secret,
        redirect_uris: [...client.redirectUris],
        grant_types: ["authorization_code", "refresh_token"],
        response_types: ["code"],
        id_token_signed_response_alg: "ES256",
      },
    ],
    findAccount: (_ctx, sub) => {
      const person = people.find((one) => one.sub === sub);
      return person && { accountId: sub, claims: () => claimsOf(person) };
    },
    // The one client is our own: whoever signs in has agreed to it.
    loadExistingGrant: async (ctx) => {
      const { session, client: asking, params } = ctx.oidc;
      const scope = params?.["scope"];
      if (!session?.accountId || !asking || typeof scope !== "string") return undefined;
      const grant = new provider.Grant({ accountId: session.accountId, clientId: asking.clientId });
      grant.addOIDCScope(scope);
      await grant.save();
      return grant;
    },
  });
  return provider;
}

function claimsOf({ sub, email, name, groups }: Person): { sub: string; [claim: string]: string | boolean | string[] } {
  return { sub, email, email_verified: true, name, preferred_username: sub, [GROUPS_CLAIM]: [...groups] };
}

type PasswordCheck = (user: string, password: string) => Person | "wrong" | "too-many";

/** By subject or e-mail address. Compares in constant time, and as long for a user that is not there. */
function passwordCheck(people: readonly Person[]): PasswordCheck {
  const attempts = new Map<string, number[]>();
  const digest = (text: string): Buffer => createHash("sha256").update(text).digest();
  return (user, password) => {
    const person = people.find(({ sub, email }) => user === sub || user.toLowerCase() === email.toLowerCase());
    const right = timingSafeEqual(digest(password), digest(person?.password ?? ""));
    if (person === undefined) return "wrong";
    const now = Date.now();
    const recent = (attempts.get(person.sub) ?? []).filter((at) => at > now - ATTEMPTS_WINDOW_MS);
    if (recent.length >= MAX_ATTEMPTS) return "too-many";
    attempts.set(person.sub, right ? [] : [...recent, now]);
    return right ? person : "wrong";
  };
}

const MESSAGES = {
  wrong: "That user and password do not belong together.",
  "too-many": "Too many attempts. Wait five minutes.",
} as const;

/** The log-in form: GET shows it, POST takes it. */
async function interact(
  provider: Provider,
  logIn: PasswordCheck,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const interaction = await provider.interactionDetails(request, response);
  const action = `/interaction/${interaction.uid}`;
  if (request.method !== "POST") return show(response, 200, loginPage(action));
  const form = new URLSearchParams(await bodyOf(request));
  const user = form.get("user") ?? "";
  const result = logIn(user, form.get("password") ?? "");
  if (typeof result === "string") return show(response, 401, loginPage(action, MESSAGES[result], user));
  if (interaction.session?.accountId !== result.sub) await leaveSession(provider, interaction);
  return provider.interactionFinished(request, response, { login: { accountId: result.sub } });
}

/** Another person signs in: the session of the one before ends here, where the provider would ask by a page with a script. */
async function leaveSession(provider: Provider, interaction: Interaction): Promise<void> {
  const { uid } = interaction.session ?? {};
  if (uid === undefined) return;
  await (await provider.Session.findByUid(uid))?.destroy();
  delete interaction.session;
  await interaction.save(interaction.exp - Math.floor(Date.now() / 1000));
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of request as AsyncIterable<Buffer>) {
    bytes += piece.length;
    if (bytes > MAX_FORM_BYTES) throw new RangeError("the form is too long");
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString("utf8");
}

function failed(response: ServerResponse): void {
  if (response.headersSent) response.destroy();
  else show(response, 400, loginErrorPage("This sign-in is over or was not started in this browser. Start again."));
}

function show(response: ServerResponse, status: number, html: string): void {
  response.writeHead(status, LOGIN_PAGE_HEADERS).end(html);
}
