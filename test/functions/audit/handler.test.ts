import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { ENVIRONMENT } from "../../../aws/environment.ts";
import { event, makeChunks, openedEvent, opening, statement } from "../../setup/make-recording.ts";
import { type FakeS3, startFakeS3 } from "../../setup/fake-s3.ts";
import { sessionIdAt } from "../../setup/session-ids.ts";

const ROW = opening(sessionIdAt(1_800_000_000_000));
let s3: FakeS3;
beforeAll(async () => {
  s3 = await startFakeS3();
  vi.stubEnv("AWS_EC2_METADATA_DISABLED", "true");
  vi.stubEnv("AWS_REGION", "eu-central-1");
  vi.stubEnv("AWS_ACCESS_KEY_ID", "test");
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", "test");
  vi.stubEnv("AWS_ENDPOINT_URL_S3", s3.endpoint);
  vi.stubEnv(ENVIRONMENT.recordingsBucket, "recordings");
  vi.stubEnv(ENVIRONMENT.auditBucket, "audit");
  vi.stubEnv(ENVIRONMENT.logLevel, "silent");
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await s3.close();
});

test("the function reads the chunks that a queue's messages name, and writes their events beside", async () => {
  const { handler } = await import("../../../functions/audit/handler.ts");
  const frames = [[event(openedEvent(ROW))], [event(statement())]];
  for (const [sequence, body] of makeChunks(ROW, frames).entries())
    s3.objects.set(`recordings/${ROW.id}/0000000${sequence}.chunk`, { body, checksum: undefined });
  const message = (messageId: string, key: string) => ({
    messageId,
    eventSource: "aws:sqs",
    body: JSON.stringify({ Records: [{ eventName: "ObjectCreated:Put", s3: { object: { key } } }] }),
  });
  const Records = [
    message("there", `recordings/${ROW.id}/00000001.chunk`),
    message("gone", `recordings/${ROW.id}/00000002.chunk`),
  ];
  expect(await handler({ Records }, { awsRequestId: "r" })).toEqual({
    batchItemFailures: [{ itemIdentifier: "gone" }],
  });
  const written = s3.objects.get(`audit/date=2027-01-15/${ROW.id}-00000001.ndjson.gz`)?.body ?? Buffer.alloc(0);
  expect(JSON.parse(gunzipSync(written).toString())).toMatchObject({ class_uid: 6005, query_info: { uid: "1" } });
});
