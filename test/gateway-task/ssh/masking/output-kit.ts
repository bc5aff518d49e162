import type { Masking } from "../../../../core/masking/masking.ts";
import { OutputMasker } from "../../../../gateway-task/ssh/masking/output-masker.ts";
import { SessionMasks } from "../../../../gateway-task/ssh/masking/session-masks.ts";
import { ssh } from "../../../setup/ssh-bytes.ts";

/** Of a message in the recording its length, of a CHANNEL_DATA its type, channel and the data's length. */
const LENGTH_BYTES = 4;
const DATA_AT = 9;

/** One channel whose output is masked, and what has become of it. */
export interface MaskedOutput {
  /** The target sends data. */
  show(data: string | Buffer, isEcho?: boolean): void;
  /** The same on standard error. */
  complain(data: string): void;
  /** The target sends another message. */
  send(message: Buffer): void;
  /** What the client has been shown so far, on standard output; latin1. */
  readonly client: string;
  /** What is recorded of that. */
  readonly recorded: string;
  /** Messages that have gone on: type and length. */
  readonly messages: readonly (readonly [type: number, length: number])[];
  /** How many values each rule has masked. */
  counts(): Record<string, number> | undefined;
}

export function maskedOutput(masking: Masking, unmaskedBy?: string, isTerminal = true): MaskedOutput {
  const shown = { client: "", recorded: "" };
  const messages: [number, number][] = [];
  const masks = new SessionMasks({ rules: masking, unmaskedBy }, () => {});
  const output = new OutputMasker(
    masks,
    isTerminal,
    (message, recorded = message) => {
      messages.push([message[0] ?? 0, message.length]);
      if (message[0] !== 94) return;
      shown.client += message.toString("latin1", DATA_AT);
      shown.recorded += recorded.toString("latin1", DATA_AT);
    },
    (error) => {
      throw error;
    },
  );
  const send = (message: Buffer, isEcho = false): void => {
    output.take(message, isEcho);
    message.fill(0); // its bytes are used again
  };
  const body = (message: Buffer): Buffer => Buffer.from(message.subarray(LENGTH_BYTES));
  return {
    show: (data, isEcho) => send(body(ssh.data(0, typeof data === "string" ? Buffer.from(data) : data)), isEcho),
    complain: (data) => send(body(ssh.stderr(0, Buffer.from(data)))),
    send: (message) => send(body(message)),
    get client() {
      return shown.client;
    },
    get recorded() {
      return shown.recorded;
    },
    messages,
    counts: () => masks.takeCounts(),
  };
}

/** What a channel shows in all that sends these pieces, one a message. */
export function shownOf(masking: Masking, pieces: readonly Buffer[]): string {
  const output = maskedOutput(masking);
  for (const piece of pieces) output.show(piece);
  output.send(ssh.eof(0));
  return output.client;
}
