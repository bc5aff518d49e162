import { once } from "node:events";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "node:tls";
import { pino } from "pino";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { readIdentityFile } from "../../cli/identity-file.ts";
import { serve, type ServeOptions } from "../../cli/serve.ts";
import { DEMO_PASSWORD, DEMO_PEOPLE } from "../../local/demo-people.ts";
import { freePort } from "../../local/embedded-postgres.ts";
import { startOidcProvider } from "../../local/oidc-provider.ts";
import { testAuthority } from "../setup/certificates.ts";
import { browserless, signInOverHttp } from "../setup/http-sign-in.ts";
import { rsaPair } from "../functions/auth/saml-idp.ts";

const HERE = { host: "127.0.0.1", port: 0 };

let parent: string;
let options: ServeOptions;
beforeAll(async () => void (parent = await mkdtemp(join(tmpdir(), "sallyport-test-serve-"))));
afterAll(async () => rm(parent, { recursive: true, force: true }));
beforeEach(async () => {
  const directory = await mkdtemp(join(parent, "x-"));
  await mkdir(join(directory, "config"));
  await writeFile(join(directory, "config", "connections.yaml"), "connections: {}");
  options = {
    state: join(directory, "state"),
    config: join(directory, "config"),
    listen: HERE,
    http: HERE,
    publicUrl: undefined,
    advertise: undefined,
    tls: undefined,
    identity: { kind: "embedded", listen: HERE, people: DEMO_PEOPLE },
    logger: pino({ level: "silent" }),
  };
});

describe("the product in one process", () => {
  test("answers as soon as it has started, and lets go of everything when it is closed", async () => {
    const first = await serve(options);
    const ca = await (await fetch(`${first.url}/api/ca.pem`)).text();
    expect(ca).toBe(first.gateway.caPem);
    await first.close();
    await expect(fetch(`${first.url}/api/ca.pem`)).rejects.toThrow();
    await expect(fetch(first.issuer)).rejects.toThrow();
    const second = await serve({ ...options, listen: { ...HERE, port: first.gateway.port } });
    expect(second.gateway).toEqual(first.gateway);
    await second.close();
  });

  test("keeps its secrets where only its owner can read them", async () => {
    await (await serve(options)).close();
    const files = await readdir(options.state, { recursive: true });
    const secret = files.filter((name) => name.includes("key"));
    expect(secret.toSorted()).toEqual([
      "masking-key",
      "signing-key.pem",
      "tls/ca-key.pem",
      "tls/server-key.pem",
      "token-key",
    ]);
    for (const name of secret)
      expect([name, (await stat(join(options.state, name))).mode & 0o777]).toEqual([name, 0o600]);
    expect((await stat(options.state)).mode & 0o777).toBe(0o700);
  });

  test("keeps people signed in over a restart: its session key stays", async () => {
    await (await serve(options)).close();
    const key = await readFile(join(options.state, "token-key"), "utf8");
    await (await serve(options)).close();
    expect(await readFile(join(options.state, "token-key"), "utf8")).toBe(key);
    await writeFile(join(options.state, "token-key"), "short");
    await expect(serve(options)).rejects.toMatchObject({ code: "configuration-invalid" });
  });

  test("has an SSH host key, the same after a restart, where a connection is of SSH or it is asked for; else none", async () => {
    const first = await serve(options);
    expect(first.gateway.ssh).toBeUndefined();
    expect(await readdir(options.state)).not.toContain("ssh-host-key");
    await first.close();

    const sshListen = { ...HERE, port: await freePort() };
    const second = await serve({ ...options, sshListen });
    const { hostKey, port } = second.gateway.ssh ?? { hostKey: "", port: 0 };
    expect(port).toBe(sshListen.port);
    expect(await (await fetch(`${second.url}/api/ssh-host-key`)).json()).toMatchObject({
      publicKey: hostKey,
      knownHosts: `[localhost]:${port} ${hostKey}`,
    });
    await second.close();
    expect((await stat(join(options.state, "ssh-host-key"))).mode & 0o777).toBe(0o600);

    const ssh = { protocol: "ssh", target: { host: "h", hostKeys: [hostKey] }, credentials: { user: "u", key: { secret: "k" } }, access: [] }; // prettier-ignore
    await writeFile(join(options.config, "connections.yaml"), JSON.stringify({ connections: { "web-1": ssh } }));
    const third = await serve({ ...options, sshListen });
    expect(third.gateway.ssh).toEqual({ hostKey, port });
    await third.close();
  });

  test("answers a path that is not there, and a method that none has, by a problem (RFC 9457)", async () => {
    const running = await serve(options);
    for (const [method, path, status] of [
      ["GET", "/nowhere", 404],
      ["PUT", "/api/passes", 405],
    ] as const) {
      const answer = await fetch(running.url + path, { method, headers: { accept: "application/json" } });
      expect(answer.status).toBe(status);
      expect(answer.headers.get("content-type")).toContain("application/problem+json");
      expect(await answer.json()).toMatchObject({ status });
    }
    await running.close();
  });

  test("sends a browser that came by another name to the one that its sign-in belongs to", async () => {
    const running = await serve(options);
    const elsewhere = running.url.replace("127.0.0.1", "localhost");
    const asked = { headers: { accept: "text/html" }, redirect: "manual" } as const;
    const answer = await fetch(`${elsewhere}/sessions?live=true`, asked);
    expect([answer.status, answer.headers.get("location")]).toEqual([307, `${running.url}/sessions?live=true`]);
    const away = await fetch(`${elsewhere}//evil.example/`, asked);
    expect(new URL(away.headers.get("location") ?? "").origin).toBe(running.url);
    await running.close();
  });
});

describe("with what an operator brings", () => {
  test("people sign in at the identity provider that was given", async () => {
    const http = { ...HERE, port: await freePort() };
    const client = { id: "gateway", secret: "s3cret" };
    const redirectUris = [`http://127.0.0.1:${http.port}/auth/callback`];
    const provider = await startOidcProvider({ ...HERE, people: DEMO_PEOPLE, client: { ...client, redirectUris } });
    const scopes = ["email", "groups"];
    const oidc = {
      kind: "oidc" as const,
      id: "oidc",
      domains: [],
      groupPrefix: "",
      groupsMaxAgeMinutes: 5,
      issuer: provider.issuer,
      clientId: "gateway",
      clientSecret: "s3cret",
      scopes,
      groupsClaim: "groups",
    };
    const running = await serve({ ...options, http, identity: { kind: "external", providers: [oidc] } });
    const { cookie } = await signInOverHttp(running.url, { user: "dave", password: DEMO_PASSWORD });
    const me = await (await fetch(`${running.url}/api/me`, { headers: { cookie } })).json();
    expect(me).toMatchObject({ id: `${provider.issuer}|dave`, groups: ["admins"] });
    await running.close();
    await provider.close();
  });

  test("people sign in at each provider of a file, with the secrets of the state's folder", async () => {
    const http = { ...HERE, port: await freePort() };
    const client = { id: "gateway", secret: "s3cret" };
    const redirectUris = [`http://127.0.0.1:${http.port}/auth/callback/shop`];
    const provider = await startOidcProvider({ ...HERE, people: DEMO_PEOPLE, client: { ...client, redirectUris } });
    const { cert } = await rsaPair();
    const providers = [
      { kind: "oidc", id: "shop", domains: ["shop.example"], issuer: provider.issuer, clientId: client.id, clientSecret: { secret: "idp" }, scopes: ["email", "groups"] },
      { kind: "saml", id: "corp", metadata: { entityId: "urn:corp", ssoUrl: "https://sso.example", certificates: [cert] } },
    ]; // prettier-ignore
    const file = join(options.config, "identity.yaml");
    await writeFile(file, JSON.stringify({ providers }));
    const identity = { kind: "settings", settings: await readIdentityFile(file) } as const;
    await expect(serve({ ...options, identity })).rejects.toMatchObject({
      code: "configuration-invalid",
      message: 'identity provider "shop": the secret "idp" is missing',
    });
    await mkdir(join(options.state, "secrets"), { recursive: true });
    await writeFile(join(options.state, "secrets", "idp"), `${client.secret}\n`, { mode: 0o600 });
    const running = await serve({ ...options, http, identity });
    expect(running.issuer).toBe(`${provider.issuer}, saml:corp`);
    const browser = browserless();
    const asked = await browser.open(`${running.url}/auth/login`);
    const onward = await browser.submit(asked, { email: "dave@shop.example" });
    const link = /href="(\/auth\/login[^"]*)"/.exec(onward.text)?.[1] ?? "";
    const form = await browser.open(running.url + link.replaceAll("&amp;", "&"));
    await browser.submit(form, { user: "dave", password: DEMO_PASSWORD });
    const me = await fetch(`${running.url}/api/me`, { headers: { cookie: browser.cookie(running.url) } });
    expect(await me.json()).toMatchObject({ id: `${provider.issuer}|dave`, groups: ["admins"] });
    const metadata = await (await fetch(`${running.url}/auth/saml/corp/metadata`)).text();
    expect(metadata).toContain(`Location="${running.url}/auth/saml/corp/acs"`);
    await running.close();
    await provider.close();
  });

  test.each([
    ["providers: [", "is no YAML"],
    ["providers: []", "providers: "],
    [
      "providers: [{kind: oidc, id: x, issuer: 'http://x.example', clientId: x, clientSecret: {secret: x}}]",
      "issuer: must be https",
    ],
  ])("a file of providers that is not valid is told with its place: %s", async (text, why) => {
    const file = join(options.config, "identity.yaml");
    await writeFile(file, text);
    await expect(readIdentityFile(file)).rejects.toMatchObject({
      code: "configuration-invalid",
      message: expect.stringContaining(why) as string,
    });
    await expect(readIdentityFile(`${file}.gone`)).rejects.toThrow("is not there");
  });

  test("the gateway shows the certificate that was given, and clients are told its authority", async () => {
    const authority = await testAuthority(join(options.state, "..", "authority"));
    const { cert, key } = await authority.issue("gateway.example");
    const files = { cert: join(options.config, "cert"), key: join(options.config, "key"), ca: authority.caFile };
    await writeFile(files.cert, cert);
    await writeFile(files.key, key, { mode: 0o600 });
    const running = await serve({ ...options, tls: files, advertise: "gateway.example" });
    expect(running.gateway).toMatchObject({ host: "gateway.example", caPem: authority.ca });
    const direct = { ca: authority.ca, servername: "gateway.example", ALPNProtocols: ["postgresql"] };
    const socket = connect({ ...HERE, port: running.gateway.port, ...direct });
    await once(socket, "secureConnect"); // it would fail where the certificate is another
    expect(socket.authorized).toBe(true);
    socket.destroy();
    await running.close();
  });
});

describe("a start that cannot be", () => {
  let taken: Server;
  beforeAll(async () => {
    taken = createServer().listen(0, "127.0.0.1");
    await once(taken, "listening");
  });
  afterAll(() => void taken.close());

  test("a folder that another process of ours has is refused, and that one goes on", async () => {
    const running = await serve(options);
    await expect(serve(options)).rejects.toMatchObject({ code: "conflict", hint: expect.stringContaining("--state") });
    expect((await fetch(`${running.url}/api/ca.pem`)).status).toBe(200);
    await running.close();
  });

  test.each(["http", "oidc", "listen"] as const)(
    "a port that is taken is named, with its option, and the rest is let go: --%s",
    async (which) => {
      const busy = { ...HERE, port: (taken.address() as AddressInfo).port };
      const embedded = { ...options.identity, listen: busy } as ServeOptions["identity"];
      const asked = {
        ...options,
        ...{ http: { http: busy }, oidc: { identity: embedded }, listen: { listen: busy } }[which],
      };
      await expect(serve(asked)).rejects.toMatchObject({
        code: "conflict",
        message: `127.0.0.1:${busy.port} is in use by another program`,
        hint: expect.stringContaining(`--${which}`),
      });
      await (await serve(options)).close();
    },
  );

  test("the embedded identity provider serves this machine only: its passwords are known to all", async () => {
    const open = { host: "0.0.0.0", port: 0 };
    for (const asked of [
      { listen: open },
      { http: open },
      { sshListen: open },
      { identity: { ...options.identity, listen: open } },
    ] as Partial<ServeOptions>[])
      await expect(serve({ ...options, ...asked })).rejects.toMatchObject({ code: "configuration-invalid" });
    expect(await readdir(join(options.state, "..")).then((names) => names.includes("state"))).toBe(false);
  });

  test.each([
    ["connections.yaml", "connections: {shop: {protocol: mysql}}", "connections.shop.protocol"],
    ["connections.yaml", "connections: [", "connections.yaml"],
  ])("a configuration that is not valid is told with its place", async (name, text, place) => {
    await writeFile(join(options.config, name), text);
    await expect(serve(options)).rejects.toMatchObject({
      code: "configuration-invalid",
      message: expect.stringContaining(place),
    });
  });

  test.each(["http://sallyport.example", "https://sallyport.example/path", "nonsense"])(
    "a public address that sessions would not be safe at is refused: %s",
    async (publicUrl) => {
      await expect(serve({ ...options, publicUrl })).rejects.toMatchObject({ code: "configuration-invalid" });
    },
  );

  test("pages that others could reach without https are refused, with the way out", async () => {
    const oidc = {
      kind: "oidc" as const,
      id: "oidc",
      domains: [],
      groupPrefix: "",
      groupsMaxAgeMinutes: 5,
      issuer: "https://idp.example",
      clientId: "x",
      clientSecret: "x",
      scopes: [],
      groupsClaim: "groups",
    };
    const asked = {
      ...options,
      http: { host: "0.0.0.0", port: 0 },
      identity: { kind: "external", providers: [oidc] },
    } as const;
    const hint = expect.stringContaining("--public-url");
    await expect(serve(asked)).rejects.toMatchObject({ code: "configuration-invalid", hint });
    await (await serve({ ...asked, publicUrl: "https://sallyport.example" })).close();
  });
});
