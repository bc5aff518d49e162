import { ReadableStream } from "node:stream/web";
import { setImmediate as otherWork } from "node:timers/promises";
import type { Logger } from "pino";
import { asciicast } from "../../core/recording/asciicast.ts";
import type { Frame } from "../../core/recording/frame.ts";
import { visible } from "../../core/recording/visible.ts";
import type { Recording } from "./recordings.ts";

/** Lines are sent in pieces of about this size. */
const PIECE_CHARACTERS = 16 << 10;
/** After so many frames other work has its turn, as after events (recordings.ts). */
const FRAMES_AT_A_TIME = 16;

/**
 * The terminal of a channel as asciicast v3, in UTF-8; undefined where there is none.
 * Where the recording is broken the cast ends: its head has been sent by then.
 */
export async function castStream(
  recording: Recording,
  channel: number,
  logger: Logger,
): Promise<ReadableStream<Uint8Array> | undefined> {
  const { row } = recording;
  if (row.protocol !== "ssh") return undefined;
  const title = visible(`${row.principalName} on ${row.connection}, session ${row.id}, channel ${channel}`);
  const lines = asciicast(framesOnly(recording), channel, { startedAt: row.startedAt, title });
  const header = await lines.next();
  if (header.done) return undefined;
  return ReadableStream.from(pieces(header.value, lines, (err) => logger.error({ err, session: row.id }, "a cast could not be completed"))); // prettier-ignore
}

async function* pieces(
  header: string,
  lines: AsyncGenerator<string, void>,
  failed: (error: unknown) => void,
): AsyncGenerator<Uint8Array, void> {
  let piece = header;
  try {
    for await (const line of lines) {
      piece += line;
      if (piece.length < PIECE_CHARACTERS) continue;
      yield Buffer.from(piece);
      piece = "";
    }
  } catch (error) {
    failed(error);
    piece += "# The recording cannot be read further.\n";
  }
  yield Buffer.from(piece);
}

async function* framesOnly(recording: Recording): AsyncGenerator<Frame, void> {
  for await (const { item, number } of recording.frames(0)) {
    yield item;
    if (number % FRAMES_AT_A_TIME === 0) await otherWork();
  }
}
