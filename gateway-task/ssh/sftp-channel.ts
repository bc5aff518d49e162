import type { Channel } from "./channels.ts";
import type { Asked } from "./gate.ts";
import { DATA_AT, MESSAGE, message } from "./messages.ts";
import type { Passage } from "./passage.ts";
import type { Refusal } from "./refusal.ts";
import { type Piece, refusedRequest, SftpGate } from "./sftp-gate.ts";

/** Judges something asked in this channel. */
type Ask = (asked: Asked, go: () => void, refuse: (refusal: Refusal) => void) => void;

/** Data of one message at most: what every client takes (RFC 4254 §5.2). */
const MAX_DATA = 32 << 10;

/** A channel that carries the SSH file transfer protocol: each request that names a file is judged before the target sees it. */
export class SftpChannel {
  readonly #passage: Passage;
  readonly #channel: Channel;
  readonly #ask: Ask;
  readonly #gate = new SftpGate();
  #pieces: Piece[] = [];
  /** Answers of ours that wait until they can stand between two of the server's. */
  #answers: Buffer[] = [];
  #waiting = false;

  constructor(passage: Passage, channel: Channel, ask: Ask) {
    this.#passage = passage;
    this.#channel = channel;
    this.#ask = ask;
  }

  /** Takes a CHANNEL_DATA message of the client's. */
  take(bytes: Buffer): void {
    const data = bytes.subarray(DATA_AT);
    const pieces = this.#gate.push(data);
    const whole = pieces.length > 0 && pieces.every(({ kind }) => kind === "bytes") && lengthOf(pieces) === data.length;
    if (whole && this.#pieces.length === 0) return this.#passage.passIn(this.#channel, bytes);
    // What waits must not be overwritten by what is read next.
    this.#pieces.push(...pieces.map((piece) => ({ ...piece, bytes: Buffer.from(piece.bytes) })));
    this.#goOn();
  }

  /** Follows what the server answers. */
  answered(data: Buffer): void {
    this.#gate.answered(data);
    this.#answer();
  }

  /** What was held has been decided. */
  resume(): void {
    this.#waiting = false;
    this.#goOn();
  }

  #goOn(): void {
    for (let piece = this.#pieces[0]; piece !== undefined && !this.#waiting; piece = this.#pieces[0]) {
      this.#pieces.shift();
      if (piece.kind === "bytes") this.#pass(piece.bytes);
      else if (piece.kind === "unknown") this.#refuse(piece, `the gateway does not know ${piece.name}`);
      else this.#judge(piece);
    }
  }

  #judge(piece: Extract<Piece, { kind: "request" }>): void {
    let decided = false;
    const go = (): void => {
      decided = true;
      this.#pass(piece.bytes);
    };
    const refuse = ({ text }: Refusal): void => {
      decided = true;
      this.#refuse(piece, text);
    };
    this.#ask({ kind: "files", accesses: piece.accesses, request: piece.bytes }, go, refuse);
    this.#waiting = !decided;
  }

  #pass(bytes: Buffer): void {
    for (let at = 0; at < bytes.length; at += MAX_DATA)
      this.#passage.sayIn(this.#channel, MESSAGE.channelData, bytes.subarray(at, at + MAX_DATA));
  }

  #refuse({ bytes, id }: { readonly bytes: Buffer; readonly id: number }, why: string): void {
    const { client, shown } = this.#channel;
    this.#passage.withhold(message(MESSAGE.channelData, shown, bytes));
    // The target will not give the client this much of its window back.
    this.#passage.say(MESSAGE.channelWindowAdjust, client, bytes.length);
    this.#answers.push(refusedRequest(id, why));
    this.#answer();
  }

  #answer(): void {
    if (this.#answers.length === 0 || !this.#gate.isBetweenAnswers) return;
    const answer = Buffer.concat(this.#answers.splice(0));
    this.#channel.debt += answer.length;
    this.#passage.say(MESSAGE.channelData, this.#channel.client, answer);
  }
}

function lengthOf(pieces: readonly Piece[]): number {
  return pieces.reduce((sum, { bytes }) => sum + bytes.length, 0);
}
