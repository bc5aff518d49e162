import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseServices } from "../../core/config/services.ts";
import { type Installation, startInstallation } from "../functions/auth/installation.ts";
import { newTerminal, type Terminal } from "../setup/product.ts";

const KEYS = {
  AccessKeyId: "ASIACONTAINERROLE123",
  SecretAccessKey: "s3cret",
  Token: "tok",
  Expiration: "2099-01-01T00:00:00Z",
};
/** What the SDK looks at; none of it is to come from the machine that the test runs on. */
const NONE = {
  AWS_EC2_METADATA_DISABLED: "true",
  AWS_ACCESS_KEY_ID: "",
  AWS_SECRET_ACCESS_KEY: "",
  AWS_SESSION_TOKEN: "",
  AWS_PROFILE: "",
  AWS_REGION: "eu-west-1",
  AWS_DEFAULT_REGION: "",
  AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: "",
  AWS_CONTAINER_CREDENTIALS_FULL_URI: "",
  AWS_WEB_IDENTITY_TOKEN_FILE: "",
};

let directory: string;
let sallyport: Installation;
let container: Server;
let terminal: Terminal;
let stsAsked: { url: string; headers: Record<string, string> }[];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "sallyport-pass-aws-"));
  stsAsked = [];
  const arn = "arn:aws:iam::123456789012:role/deployer";
  sallyport = await startInstallation({
    services: () => parseServices({ awsIdentities: [{ arn, service: "deployer", groups: ["engineers"] }] }),
    fetch: async (url, init) => {
      stsAsked.push({ url, headers: init.headers as Record<string, string> });
      const result = {
        Arn: "arn:aws:sts::123456789012:assumed-role/deployer/task",
        Account: "123456789012",
        UserId: "u",
      };
      return Response.json({ GetCallerIdentityResponse: { GetCallerIdentityResult: result } });
    },
  });
  container = createServer((_request, response) => response.end(JSON.stringify(KEYS)));
  container.listen(0, "127.0.0.1");
  await once(container, "listening");
  terminal = await newTerminal(sallyport.baseUrl, await mkdtemp(join(directory, "home-")));
});
afterAll(async () => {
  container?.close();
  await sallyport?.close();
  await rm(directory, { recursive: true, force: true });
});

const pass = (args: readonly string[], env: Record<string, string> = {}) =>
  terminal.sallyport(["pass", ...args], { env: { ...NONE, ...env } });

describe("sallyport pass --aws", () => {
  test("signs with the keys of the environment, for this server, and prints the pass alone", async () => {
    const env = { AWS_ACCESS_KEY_ID: "AKIAENVIRONMENT12345", AWS_SECRET_ACCESS_KEY: "s3cret" };
    const ran = await pass(["shop", "--aws"], env);
    expect([ran.status, ran.text, ran.stderr]).toEqual([
      0,
      expect.stringMatching(/^sp_\w+\n$/),
      expect.stringContaining("for shop, for 60 minutes"),
    ]);
    const { url, headers } = stsAsked.at(-1) ?? { url: "", headers: {} };
    expect(url).toBe("https://sts.eu-west-1.amazonaws.com/");
    expect(headers["authorization"]).toContain("Credential=AKIAENVIRONMENT12345/");
    expect(headers["x-sallyport-audience"]).toBe(sallyport.baseUrl);
  });

  test("signs with the role of its container, and prints JSON where it is asked to", async () => {
    const { port } = container.address() as AddressInfo;
    const ran = await pass(["--aws", "--json"], {
      AWS_CONTAINER_CREDENTIALS_FULL_URI: `http://127.0.0.1:${port}/role`,
    });
    expect([ran.status, ran.stderr]).toEqual([0, ""]);
    expect(JSON.parse(ran.text)).toMatchObject({
      connection: null,
      expiresIn: 3600,
      pass: expect.stringMatching(/^sp_/),
    });
    expect(stsAsked.at(-1)?.headers["x-amz-security-token"]).toBe("tok");
  });

  test("says so where there are no keys, the region is none, or the server is not there", async () => {
    const keys = { AWS_ACCESS_KEY_ID: "AKIAENVIRONMENT12345", AWS_SECRET_ACCESS_KEY: "s3cret" };
    expect(await pass(["--aws"])).toMatchObject({
      status: 3,
      stderr: expect.stringContaining("no credentials of AWS"),
    });
    expect(await pass(["--aws"], { ...keys, AWS_REGION: "moon-1" })).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("moon-1"),
    });
    expect(await pass(["--aws", "--server", "http://127.0.0.1:9"], keys)).toMatchObject({
      status: 1,
      stderr: expect.stringContaining("cannot be reached"),
    });
    expect(await pass(["--aws", "--label", "x"], keys)).toMatchObject({ status: 2 });
  });
});
