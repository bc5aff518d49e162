// A recorder as its own process, as tasks are: `node test/setup/recorder-process.ts <json>`. Says on its standard output, a line each:
// `recorded` once a session is recorded that nobody closes, and `failed: <message>` when it can record no more.
import { join } from "node:path";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { pino } from "pino";
import { clientOptions } from "../../aws/client-options.ts";
import { dynamoLeaseStore } from "../../aws/dynamo/lease-store.ts";
import { dynamoSessionStore } from "../../aws/dynamo/session-store.ts";
import { startRecorder } from "../../gateway-task/recorder/recorder.ts";
import { fileChunkStore } from "../../local/chunk-store.ts";
import { fileSigner } from "../../local/signer.ts";
import { localSettings } from "./dynamodb.ts";
import { openedEvent, opening } from "./make-recording.ts";
import { sessionIdAt } from "./session-ids.ts";

export interface RecorderProcess {
  readonly directory: string;
  readonly task: string;
  readonly endpoint: string;
  readonly coordination: string;
  readonly sessions: string;
  /** Text of a statement to record; not given: it only looks after what others left. */
  readonly asks?: string;
}

const options = JSON.parse(process.argv[2] ?? "") as RecorderProcess;
const client = new DynamoDBClient({ ...clientOptions(), ...localSettings(options.endpoint) });
const say = (text: string): void => void process.stdout.write(`${text}\n`);
const recorder = await startRecorder({
  spool: join(options.directory, "spool"),
  task: options.task,
  leases: dynamoLeaseStore(client, options.coordination),
  sessions: dynamoSessionStore(client, options.sessions),
  chunks: fileChunkStore(join(options.directory, "recordings")),
  signer: await fileSigner(join(options.directory, "signing-key.pem")),
  clock: Date.now,
  logger: pino({ level: "warn" }, pino.destination({ dest: 2, sync: true })),
});
recorder.onFailure(({ message }) => say(`failed: ${message}`));
if (options.asks !== undefined) {
  const startedAt = Date.now();
  const opened = opening(sessionIdAt(startedAt, 1));
  const session = await recorder.open(openedEvent(opened, { startedAt }));
  await session.input(Buffer.from(options.asks));
  say("recorded");
  // Whatever comes is asked, as a client's bytes would be.
  process.stdin.on("data", (bytes: Buffer) => {
    void Promise.resolve()
      .then(async () => session.input(bytes))
      .then(
        () => say(`forwarded: ${bytes.toString()}`),
        (error: Error) => say(`refused: ${error.message}`),
      );
  });
}
