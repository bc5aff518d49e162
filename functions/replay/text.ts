import { ReadableStream } from "node:stream/web";
import type { Logger } from "pino";
import { SallyportError } from "../../core/errors.ts";
import type { RecordedEvent } from "../../core/recording/reader.ts";
import { transcript, type TranscriptOptions } from "../../core/recording/transcript.ts";
import type { Recording } from "./recordings.ts";
import { previewLines } from "./command-output.ts";
import { previewTables } from "./statement-rows.ts";

/** Lines are sent in pieces of about this size. */
const PIECE_CHARACTERS = 16 << 10;

/**
 * The transcript as a stream of UTF-8: read as fast as the client takes it, and no further once it is gone. Where the
 * recording is broken the text says so and ends: its head has been sent by then, so there is no status to tell it by.
 */
export function transcriptStream(recording: Recording, rows: number, logger: Logger): ReadableStream<Uint8Array> {
  return ReadableStream.from(pieces(recording, rows, logger));
}

async function* pieces(recording: Recording, rows: number, logger: Logger): AsyncGenerator<Uint8Array, void> {
  const output = recording.output();
  const preview: TranscriptOptions["rows"] =
    rows > 0 ? (statement) => previewTables(output, statement, rows) : undefined;
  const shown: TranscriptOptions["output"] = rows > 0 ? (command) => previewLines(output, command, rows) : undefined;
  const options: TranscriptOptions = { live: recording.live, rows: preview, output: shown };
  let piece = "";
  try {
    for await (const line of transcript(eventsOnly(recording), options)) {
      piece += `${line}\n`;
      if (piece.length < PIECE_CHARACTERS) continue;
      yield Buffer.from(piece);
      piece = "";
    }
  } catch (error) {
    logger.error({ err: error, session: recording.row.id }, "a transcript could not be completed");
    if (!(error instanceof SallyportError)) piece += "!! Something went wrong on our side: the transcript ends here.\n";
  } finally {
    await output.close();
  }
  yield Buffer.from(piece);
}

async function* eventsOnly(recording: Recording): AsyncGenerator<RecordedEvent, void> {
  for await (const { item } of recording.events(0)) yield item;
}
