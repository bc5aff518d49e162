import { type FileHandle, open } from "node:fs/promises";
import path from "node:path";
import { MAX_FRAME_PAYLOAD } from "../../core/recording/frame.ts";
import { JournalRecord, RECORD_HEADER_BYTES } from "./journal-record.ts";

/** More than the largest record: what is in memory of a log, however long it is. */
const BUFFER_BYTES = 2 * (MAX_FRAME_PAYLOAD + RECORD_HEADER_BYTES);

/**
 * The records of an intent log in their order, of each segment up to its end or to the tail that a loss of power tore.
 * A record is valid until the next one is asked for.
 */
export async function* spooledRecords(
  directory: string,
  segments: readonly string[],
): AsyncGenerator<JournalRecord, void> {
  const buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  for (const segment of segments) {
    const file = await open(path.join(directory, segment), "r");
    try {
      yield* recordsOf(file, buffer);
    } finally {
      await file.close();
    }
  }
}

async function* recordsOf(file: FileHandle, buffer: Buffer): AsyncGenerator<JournalRecord, void> {
  const record = new JournalRecord();
  let length = 0;
  for (;;) {
    const { bytesRead } = await file.read(buffer, length, buffer.length - length);
    length += bytesRead;
    let at = 0;
    while (record.read(buffer.subarray(0, length), at, true)) {
      at = record.end;
      yield record;
    }
    // Nothing more comes, or what is there is no record although it has room to be one.
    if (bytesRead === 0 || (at === 0 && length === buffer.length)) return;
    buffer.copyWithin(0, at, length);
    length -= at;
  }
}
