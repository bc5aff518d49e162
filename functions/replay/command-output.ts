import type { CommandEndedEvent } from "../../core/recording/ssh-events.ts";
import type { SliceReader } from "../../core/recording/slices.ts";
import { plainText } from "../../core/recording/terminal-text.ts";
import { ConnectionReader } from "../../core/ssh/connection-reader.ts";

/** Of what stands in the stream while a command ran, what is looked at: other channels' bytes are among it. */
const MAX_STREAM_BYTES = 128 << 10;
/** Of a command's own output. */
const MAX_OUTPUT_BYTES = 32 << 10;
/** Output is text if no more of it than one character in so many is none. */
const BINARY_SHARE = 50;

/**
 * The first lines of what a command wrote, on standard output and standard error as they came, harmless to a terminal.
 * None of what programs say to programs (sftp, scp, rsync, git), or of what is no text.
 */
export async function previewLines(
  output: SliceReader,
  command: CommandEndedEvent,
  maxLines: number,
): Promise<string[]> {
  if (command.output === undefined || command.program !== undefined) return [];
  const { from, to, recipient } = command.output;
  const written = writtenTo(recipient, await output.slice(from, to, MAX_STREAM_BYTES));
  const text = new TextDecoder().decode(written, { stream: true });
  if (isBinary(text)) return ["… what it wrote is no text"];
  const { lines, more } = plainText(text, maxLines);
  const isCut = more || written.length < command.stdout + command.stderr;
  return isCut ? [...lines, "… and more"] : [...lines];
}

function writtenTo(recipient: number, stream: Buffer): Buffer {
  const pieces: Buffer[] = [];
  let missing = MAX_OUTPUT_BYTES;
  const reader = new ConnectionReader({
    message: () => {},
    data: (to, _code, bytes, start, end) => {
      if (to !== recipient || missing === 0) return;
      const piece = bytes.subarray(start, Math.min(end, start + missing));
      missing -= piece.length;
      pieces.push(piece);
    },
    lost: () => {},
  });
  reader.push(stream, 0, 0);
  return Buffer.concat(pieces);
}

function isBinary(text: string): boolean {
  const strange = text.match(/[\0\ufffd]/g)?.length ?? 0; // eslint-disable-line no-control-regex
  return strange * BINARY_SHARE > text.length;
}
