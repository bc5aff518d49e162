import { z } from "zod";
import { SallyportError } from "../../core/errors.ts";
import type { ChunkKey } from "../../core/ports/chunk-store.ts";
import { isSessionId } from "../../core/recording/session-id.ts";
import type { ChunkAuditor } from "./app.ts";

/** S3's notification, of which we read the keys (Amazon S3 User Guide, "Event message structure"). */
const s3Event = z.object({
  Records: z.array(z.object({ eventName: z.string(), s3: z.object({ object: z.object({ key: z.string() }) }) })),
});
const sqsEvent = z.object({
  Records: z.array(z.object({ eventSource: z.literal("aws:sqs"), messageId: z.string(), body: z.string() })).min(1),
});

const CHUNK = /^recordings\/([^/]+)\/(\d{1,9})\.chunk$/;

/** S3 writes keys as a form's values are written: `+` is a space. */
function chunkOf(written: string): ChunkKey | undefined {
  let key: string;
  try {
    key = decodeURIComponent(written.replaceAll("+", " "));
  } catch {
    return undefined;
  }
  const [, session, digits] = CHUNK.exec(key) ?? [];
  return session !== undefined && isSessionId(session) ? { session, sequence: Number(digits) } : undefined;
}

/** The chunks that a notification tells of; manifests, and whatever else lies there, are none. S3's own test message is empty. */
function chunksIn(notification: unknown): ChunkKey[] {
  const parsed = s3Event.safeParse(notification);
  if (!parsed.success) {
    if (z.object({ Event: z.literal("s3:TestEvent") }).safeParse(notification).success) return [];
    throw new SallyportError("bad-request", "this is no notification of S3", { cause: parsed.error });
  }
  const created = parsed.data.Records.filter(({ eventName }) => eventName.startsWith("ObjectCreated:"));
  return created.flatMap(({ s3 }) => chunkOf(s3.object.key) ?? []);
}

/** What could not be done is done again by the queue: messages by their ids (AWS Lambda, `ReportBatchItemFailures`). */
export interface BatchFailures {
  readonly batchItemFailures: { readonly itemIdentifier: string }[];
}

/**
 * Derives the chunks that an event of the function tells of: S3's notifications in the messages of a queue, or one by itself.
 * Of a queue's messages those that fail are answered, and the others are done; of a single notification the first failure is thrown
 * when all was tried, so that Lambda tries the whole again. Both may be: deriving is idempotent.
 */
export async function deriveChunks(
  auditor: ChunkAuditor,
  event: unknown,
  failed: (thrown: unknown) => void,
): Promise<BatchFailures | undefined> {
  const queue = sqsEvent.safeParse(event);
  if (!queue.success) {
    const thrown = await deriveAll(auditor, () => event, failed);
    if (thrown !== undefined) throw thrown.error;
    return undefined;
  }
  const batchItemFailures: { itemIdentifier: string }[] = [];
  for (const { messageId, body } of queue.data.Records)
    if ((await deriveAll(auditor, () => jsonOf(body), failed)) !== undefined)
      batchItemFailures.push({ itemIdentifier: messageId });
  return { batchItemFailures };
}

/** The first failure, after all chunks were tried. */
async function deriveAll(
  auditor: ChunkAuditor,
  notification: () => unknown,
  failed: (thrown: unknown) => void,
): Promise<{ readonly error: unknown } | undefined> {
  let first: { readonly error: unknown } | undefined;
  const note = (error: unknown): void => {
    first ??= { error };
    failed(error);
  };
  try {
    for (const key of chunksIn(notification())) await auditor.derive(key).catch(note);
  } catch (thrown) {
    note(thrown);
  }
  return first;
}

function jsonOf(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch (cause) {
    throw new SallyportError("bad-request", "a message is not JSON", { cause });
  }
}
