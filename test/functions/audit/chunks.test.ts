import { describe, expect, test } from "vitest";
import { SallyportError } from "../../../core/errors.ts";
import { chunkAuditor } from "../../../functions/audit/app.ts";
import { deriveChunks } from "../../../functions/audit/chunk-events.ts";
import { event, type FrameSpec, openedEvent, opening, statement, storeRecording } from "../../setup/make-recording.ts";
import { memoryAudit } from "../../setup/memory-audit.ts";
import { memoryChunks, nameOf } from "../../setup/memory-chunks.ts";
import { sessionIdAt } from "../../setup/session-ids.ts";
import { faultsOf } from "../../core/audit/ocsf-schema.ts";

const ROW = opening(sessionIdAt(1_800_000_000_000));
const FRAMES: readonly (readonly FrameSpec[])[] = [
  [event(openedEvent(ROW)), event(statement())],
  [event(statement({ number: 2 }), 5_000)],
  [event({ type: "session-closed", reason: "client-closed" }, 9_000)],
];

async function stored() {
  const chunks = memoryChunks();
  await storeRecording(chunks, ROW, FRAMES);
  const log = memoryAudit();
  return { chunks, log, auditor: chunkAuditor({ chunks, log }) };
}

const key = (sequence: number) => ({ session: ROW.id, sequence });
/** As S3 sends it, the fields that we do not read included. */
const notification = (...keys: string[]) => ({
  Records: keys.map((name) => ({
    eventVersion: "2.1",
    eventSource: "aws:s3",
    awsRegion: "eu-central-1",
    eventTime: "2026-11-29T00:00:00.000Z",
    eventName: "ObjectCreated:Put",
    s3: { s3SchemaVersion: "1.0", bucket: { name: "recordings" }, object: { key: name, size: 1, sequencer: "0A1B" } },
  })),
});
const message = (id: string, body: unknown) => ({
  messageId: id,
  eventSource: "aws:sqs",
  body: typeof body === "string" ? body : JSON.stringify(body),
});
const CHUNK_1 = `recordings/${ROW.id}/00000001.chunk`;

describe("a stored chunk", () => {
  test("becomes a batch of its events, as of the session that its recording's first chunk opens", async () => {
    const { log, auditor } = await stored();
    expect(await auditor.derive(key(1))).toEqual({ events: 1, closed: false });
    expect(log.events[0]).toMatchObject({ unmapped: { number: "2" }, actor: { user: { name: "Ana" } } });
    expect(await auditor.derive(key(2))).toEqual({ events: 1, closed: true });
    await auditor.derive(key(0));
    expect(log.codes()).toEqual(["statement", "session-closed", "session-opened", "statement"]);
    expect(log.events.flatMap(faultsOf)).toEqual([]);
  });

  test("is written once, however often it is derived", async () => {
    const { log, auditor } = await stored();
    for (let times = 0; times < 3; times++) await auditor.derive(key(0));
    expect(log.codes()).toEqual(["session-opened", "statement"]);
  });

  test("costs one read, but for the first of a session", async () => {
    const { chunks, auditor } = await stored();
    await auditor.derive(key(1));
    expect(chunks.reads).toBe(2);
    await auditor.derive(key(2));
    expect(chunks.reads).toBe(3);
  });

  test("waits for the first of its session, and is refused under another's name or when it is broken", async () => {
    const { chunks, log, auditor } = await stored();
    const [first, second] = [chunks.chunks.get(nameOf(key(0))), chunks.chunks.get(nameOf(key(1)))];
    chunks.chunks.delete(nameOf(key(0)));
    await expect(auditor.derive(key(1))).rejects.toMatchObject({ code: "not-found" });
    for (const bytes of [second, first?.subarray(0, 50), Buffer.from("not a chunk")]) {
      chunks.chunks.set(nameOf(key(0)), bytes ?? Buffer.alloc(0));
      await expect(auditor.derive(key(0))).rejects.toMatchObject({ code: "recording-corrupt" });
    }
    expect(log.batches).toEqual([]);
  });
});

describe("the function", () => {
  test("derives the chunks of S3's notifications, and leaves manifests and strangers' names alone", async () => {
    const { log, auditor } = await stored();
    const failures: unknown[] = [];
    const names = [
      CHUNK_1,
      `recordings/${ROW.id}/manifest.jws`,
      `recordings/${ROW.id}/1.chunk.tmp`,
      `recordings/../${ROW.id}/00000001.chunk`,
      `recordings/${ROW.id.toUpperCase()}/00000001.chunk`,
      `other/${ROW.id}/00000001.chunk`,
      `recordings/%E0%A4%A/00000001.chunk`,
      "",
    ];
    expect(await deriveChunks(auditor, notification(...names), (thrown) => failures.push(thrown))).toBeUndefined();
    expect(failures).toEqual([]);
    expect(log.batches).toEqual([`${ROW.id}-00000001`]);
  });

  test("reads keys that S3 has written as a form's values", async () => {
    const { log, auditor } = await stored();
    await deriveChunks(auditor, notification(CHUNK_1.replaceAll("/", "%2F")), () => {});
    expect(log.batches).toEqual([`${ROW.id}-00000001`]);
  });

  test("does nothing at S3's test message, and nothing for objects that were removed", async () => {
    const { log, auditor } = await stored();
    const sent = { Service: "Amazon S3", Event: "s3:TestEvent", Bucket: "recordings" };
    expect(await deriveChunks(auditor, { Records: [message("1", sent)] }, () => {})).toEqual({ batchItemFailures: [] });
    const [record] = notification(CHUNK_1).Records;
    await deriveChunks(auditor, { Records: [{ ...record, eventName: "ObjectRemoved:Delete" }] }, () => {});
    expect(log.batches).toEqual([]);
  });

  test("answers the messages of a queue that failed, and only those, and does them when they come again", async () => {
    const { chunks, log, auditor } = await stored();
    const failures: unknown[] = [];
    const missing = `recordings/${sessionIdAt(1)}/00000000.chunk`;
    const bodies = [notification(CHUNK_1), notification(missing), "{", { hello: 1 }, notification(CHUNK_1, missing)];
    const Records = bodies.map((body, n) => message(`m${n}`, body));
    const answer = await deriveChunks(auditor, { Records }, (thrown) => failures.push(thrown));
    expect(answer?.batchItemFailures.map(({ itemIdentifier }) => itemIdentifier)).toEqual(["m1", "m2", "m3", "m4"]);
    expect(failures).toHaveLength(4);
    expect(failures.every((failure) => failure instanceof SallyportError)).toBe(true);
    expect(log.batches).toEqual([`${ROW.id}-00000001`]);
    const row = opening(sessionIdAt(1));
    await storeRecording(chunks, row, [[event(openedEvent(row))]]);
    expect(await deriveChunks(auditor, { Records: [Records[4]] }, () => {})).toEqual({ batchItemFailures: [] });
    expect(log.batches).toEqual([`${ROW.id}-00000001`, `${row.id}-00000000`]);
  });

  test("throws what failed of a single notification, when all of it was tried", async () => {
    const { log, auditor } = await stored();
    const missing = `recordings/${sessionIdAt(1)}/00000000.chunk`;
    await expect(deriveChunks(auditor, notification(missing, CHUNK_1), () => {})).rejects.toMatchObject({
      code: "not-found",
    });
    expect(log.batches).toEqual([`${ROW.id}-00000001`]);
    for (const strange of [undefined, null, {}, "x", { Records: [{}] }])
      await expect(deriveChunks(auditor, strange, () => {})).rejects.toMatchObject({ code: "bad-request" });
    log.down = true;
    await expect(
      deriveChunks(auditor, notification(`recordings/${ROW.id}/00000002.chunk`), () => {}),
    ).rejects.toMatchObject({
      code: "store-unavailable",
    });
  });
});
