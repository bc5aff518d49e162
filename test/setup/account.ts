import { generateKeyPairSync, randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { ENVIRONMENT } from "../../aws/environment.ts";
import { TABLES, type TableId } from "../../aws/tables.ts";
import { startDynamo } from "./dynamodb.ts";

const ARN = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:";
const PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";

/** What the functions find in an account: Amazon's local DynamoDB, and the least of its other services that lets them start. */
export async function startAccount() {
  const dynamo = await startDynamo();
  const tokenKey = randomBytes(32);
  const secrets: Record<string, string> = {
    "token-key": tokenKey.toString("base64url"),
    tls: JSON.stringify({ cert: PEM, key: PEM, ca: PEM }),
    oidc: "s3cret",
  };
  const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const signing = { KeySpec: "ECC_NIST_P256", KeyUsage: "SIGN_VERIFY", SigningAlgorithms: ["ECDSA_SHA_256"] };
  const answers: Record<string, (asked: { SecretId?: string }) => object | undefined> = {
    "secretsmanager.GetSecretValue": ({ SecretId = "" }) => ({ SecretString: secrets[SecretId.slice(ARN.length)] }),
    "TrentService.GetPublicKey": () => ({
      ...signing,
      PublicKey: publicKey.export({ format: "der", type: "spki" }).toString("base64"),
    }),
  };
  /** Objects that were put, by path. */
  const objects = new Map<string, string>();
  const server = createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on("data", (piece: Buffer) => pieces.push(piece));
    request.on("end", () => {
      const body = Buffer.concat(pieces).toString();
      const target = answers[String(request.headers["x-amz-target"])];
      if (target !== undefined) {
        response.setHeader("content-type", "application/x-amz-json-1.1");
        return response.end(JSON.stringify(target(JSON.parse(body) as { SecretId?: string })));
      }
      if (request.method === "PUT") {
        objects.set(request.url ?? "", body);
        return response.setHeader("etag", '"1"').end();
      }
      response.statusCode = 404;
      response.setHeader("content-type", "application/xml");
      return response.end("<Error><Code>NoSuchKey</Code><Message>none</Message></Error>");
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const tables = Object.fromEntries(
    await Promise.all(
      (Object.keys(TABLES) as TableId[]).map(
        async (id) => [ENVIRONMENT[`${id}Table`], await dynamo.table(id)] as const,
      ),
    ),
  );
  const { endpoint } = dynamo.client.config;
  const { protocol = "http:", hostname = "", port = "" } = (await endpoint?.()) ?? {};
  const environment: Record<string, string> = {
    ...tables,
    AWS_REGION: "eu-central-1",
    AWS_ACCESS_KEY_ID: "local",
    AWS_SECRET_ACCESS_KEY: "local",
    AWS_ENDPOINT_URL_DYNAMODB: `${protocol}//${hostname}:${port}`,
    AWS_ENDPOINT_URL_S3: url,
    AWS_ENDPOINT_URL_KMS: url,
    AWS_ENDPOINT_URL_SECRETS_MANAGER: url,
    AWS_ENDPOINT_URL_SESV2: url,
    [ENVIRONMENT.recordingsBucket]: "recordings",
    [ENVIRONMENT.auditBucket]: "audit",
    [ENVIRONMENT.configBucket]: "config",
    [ENVIRONMENT.signingKey]: "arn:aws:kms:eu-central-1:123456789012:key/1",
    [ENVIRONMENT.tokenKeySecret]: `${ARN}token-key`,
    [ENVIRONMENT.tlsSecret]: `${ARN}tls`,
    [ENVIRONMENT.identity]: JSON.stringify({
      providers: [
        {
          id: "oidc",
          kind: "oidc",
          issuer: "https://idp.example",
          clientId: "sallyport",
          clientSecret: { secret: `${ARN}oidc` },
        },
      ],
    }),
    [ENVIRONMENT.publicUrl]: "https://sallyport.example",
    [ENVIRONMENT.gatewayHost]: "gateway.sallyport.example",
    [ENVIRONMENT.mailFrom]: "sallyport@sallyport.example",
    [ENVIRONMENT.auditors]: "auditors,security",
    [ENVIRONMENT.admins]: "admins",
    [ENVIRONMENT.abandonedAfterSeconds]: "1",
  };
  return {
    url,
    environment,
    objects,
    tokenKey,
    stop: async () => {
      server.close();
      server.closeAllConnections();
      await dynamo.stop();
    },
  };
}
