import { createHash, createSecretKey, randomUUID } from "node:crypto";
import { once } from "node:events";
import { type IncomingMessage, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type CryptoKey, type JWK, SignJWT, UnsecuredJWT, exportJWK, generateKeyPair } from "jose";

interface Key {
  readonly kid: string;
  readonly privateKey: CryptoKey;
  readonly publicJwk: JWK;
}

/** An identity provider that lies as it is told. Each field may be changed between two sign-ins. */
export interface FakeProvider {
  readonly issuer: string;
  /** Added to, or put in the place of, the claims of the next ID tokens. */
  claims: Record<string, unknown>;
  /** The nonce that an honest provider would repeat. */
  nonce: string | null;
  /** What ID tokens are signed with: the published key, another with the published key's id, another id, or not at all. */
  signing: "published" | "impostor" | "unknown" | "none" | "client-secret";
  /** Does it give refresh tokens? Each is good for one use; a second use of one ends them all (RFC 9700 §4.14.2). */
  refreshing: boolean;
  /** What it says to a refresh token, where it is not to be as it should. */
  renewal: "honest" | "without an ID token" | "invalid_grant" | "slow_down" | "down";
  /** Answers to refresh tokens wait for it. */
  pause: Promise<void>;
  /** Answers everything with 503. */
  down: boolean;
  /** What it says to whoever asks for its keys, where it does not give them. */
  keys: "published" | "503" | "no JSON" | "hung up";
  /** How often each path was asked for. */
  readonly asked: Map<string, number>;
  /** The token requests so far. */
  readonly tokenRequests: URLSearchParams[];
  /** Publishes a new key in the place of the old one. */
  rotate(): Promise<void>;
  close(): Promise<void>;
}

type Answer = Record<string, unknown> & { readonly status?: number };

async function newKey(kid: string): Promise<Key> {
  const { privateKey, publicKey } = await generateKeyPair("RS256");
  return { kid, privateKey, publicJwk: { ...(await exportJWK(publicKey)), kid, alg: "RS256", use: "sig" } };
}

/** @param client what an honest provider would put into an ID token: the audience, and the secret of its client */
export async function startFakeProvider(client: { id: string; secret: string }): Promise<FakeProvider> {
  let key = await newKey("one");
  const impostor = await newKey("impostor");
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const provider: FakeProvider = {
    issuer,
    claims: {},
    nonce: null,
    signing: "published",
    refreshing: false,
    renewal: "honest",
    pause: Promise.resolve(),
    down: false,
    keys: "published",
    asked: new Map(),
    tokenRequests: [],
    rotate: async () => {
      key = await newKey(`${key.kid}+`);
    },
    close: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
  const idToken = async (nonce: string | null | undefined): Promise<string> => {
    const now = Math.floor(Date.now() / 1000);
    const honest = { iss: issuer, aud: client.id, sub: "alice", iat: now, exp: now + 60, nonce };
    const claims = { ...honest, ...provider.claims };
    if (provider.signing === "none") return new UnsecuredJWT(claims).encode();
    if (provider.signing === "client-secret")
      return new SignJWT(claims)
        .setProtectedHeader({ alg: "HS256", kid: key.kid })
        .sign(createSecretKey(createHash("sha256").update(client.secret).digest()));
    const kid = provider.signing === "unknown" ? impostor.kid : key.kid;
    const signer = provider.signing === "published" ? key : impostor;
    return new SignJWT(claims).setProtectedHeader({ alg: "RS256", kid }).sign(signer.privateKey);
  };
  let refreshToken = "";
  const tokens = async (nonce?: string | null): Promise<Answer> => {
    refreshToken = provider.refreshing ? randomUUID() : "";
    const id_token =
      provider.renewal === "without an ID token" && nonce === undefined ? undefined : await idToken(nonce);
    const answer = { access_token: "at", token_type: "Bearer", id_token };
    return provider.refreshing ? { ...answer, refresh_token: refreshToken } : answer;
  };
  const renewed = async (shown: string | null): Promise<Answer> => {
    await provider.pause;
    if (provider.renewal === "down") return { status: 503 };
    if (provider.renewal === "slow_down") return { status: 429, error: "slow_down" };
    if (provider.renewal !== "invalid_grant" && shown === refreshToken && shown !== "") return tokens();
    refreshToken = "";
    return { status: 400, error: "invalid_grant" };
  };
  const answers: Record<string, (request: IncomingMessage) => Promise<Answer>> = {
    "/.well-known/openid-configuration": async () => ({
      issuer,
      authorization_endpoint: `${issuer}/authorize`,
      token_endpoint: `${issuer}/token`,
      jwks_uri: `${issuer}/jwks`,
      response_types_supported: ["code"],
      subject_types_supported: ["public"],
      id_token_signing_alg_values_supported: ["RS256", "HS256", "none"],
      authorization_response_iss_parameter_supported: true,
    }),
    "/jwks": async () => ({ keys: [key.publicJwk] }),
    "/token": async (request) => {
      let body = "";
      for await (const piece of request) body += String(piece);
      const form = new URLSearchParams(body);
      provider.tokenRequests.push(form);
      return form.get("grant_type") === "refresh_token" ? renewed(form.get("refresh_token")) : tokens(provider.nonce);
    },
  };
  server.on("request", (request, response) => {
    const path = request.url ?? "";
    provider.asked.set(path, (provider.asked.get(path) ?? 0) + 1);
    const answer = provider.down || (path === "/jwks" && provider.keys === "503") ? undefined : answers[path];
    if (path === "/jwks" && provider.keys === "hung up") response.destroy();
    else if (path === "/jwks" && provider.keys === "no JSON") response.end("<html>");
    else if (answer === undefined) response.writeHead(503).end();
    else
      void answer(request).then(({ status = 200, ...json }) =>
        response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(json)),
      );
  });
  return provider;
}
