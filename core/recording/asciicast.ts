import type { Side } from "../ssh/channel-table.ts";
import { ConnectionReader, MAX_TEXT_BYTES, MESSAGE } from "../ssh/connection-reader.ts";
import { FieldReader } from "../ssh/field-reader.ts";
import type { PrefixedMessage } from "../ssh/prefixed-reader.ts";
import { FLAG_REDACTED, FLAG_WITHHELD, type Frame, FRAME_KIND } from "./frame.ts";

const MICROS_PER_SECOND = 1_000_000;
const MAX_TERM_BYTES = 256;
/** Of a command's text, what stands in the header. */
const MAX_COMMAND_BYTES = Math.min(4 << 10, MAX_TEXT_BYTES);

/** What the header tells beside the terminal. */
export interface CastAbout {
  /** The session's start, in milliseconds since the Unix epoch. */
  readonly startedAt: number;
  readonly title: string;
}

/**
 * The terminal of one channel of an SSH session as asciicast v3 (docs.asciinema.org/manual/asciicast/v3), line by line,
 * with line ends: what it showed, its size, what was typed as far as that is recorded, and the exit status.
 * Nothing where the channel has no terminal.
 * @param frames  of the whole session, in order
 * @param channel its number, as events tell it
 */
export async function* asciicast(
  frames: AsyncIterable<Frame>,
  channel: number,
  about: CastAbout,
): AsyncGenerator<string, void> {
  const cast = new Cast(channel, about);
  for await (const frame of frames) {
    cast.add(frame);
    yield* cast.take();
    if (cast.isOver) return;
  }
  cast.end();
  yield* cast.take();
}

class Cast {
  /** The channel is closed: no more is to come. */
  isOver = false;
  readonly #channel: number;
  readonly #about: CastAbout;
  readonly #fromClient: ConnectionReader;
  readonly #fromTarget: ConnectionReader;
  #lines: string[] = [];
  /** Channels that were asked for so far. */
  #opened = 0;
  /** The numbers that both sides have given it. */
  #client: number | undefined;
  #target: number | undefined;
  #terminal: { readonly type: string; cols: number; rows: number } | undefined;
  #hasBegun = false;
  /** Of the last line. */
  #micros = 0;
  #exit: { readonly status: number; readonly micros: number } | undefined;
  readonly #typed = new TextDecoder();
  readonly #shown = new TextDecoder();

  constructor(channel: number, about: CastAbout) {
    this.#channel = channel;
    this.#about = about;
    const lost = (): void => this.end();
    this.#fromClient = new ConnectionReader({
      message: (type, message) => this.#says("client", type, message),
      data: (recipient, _code, bytes, start, end, { micros }, flags) => {
        if (recipient === this.#target && (flags & FLAG_REDACTED) === 0)
          this.#event("i", this.#typed.decode(bytes.subarray(start, end), { stream: true }), micros);
      },
      lost,
    });
    this.#fromTarget = new ConnectionReader({
      message: (type, message) => this.#says("target", type, message),
      data: (recipient, _code, bytes, start, end, { micros }) => {
        if (recipient !== this.#client) return;
        // What the gateway says before a command, that it is held or refused, stands on the terminal too.
        this.#begin(undefined, micros);
        this.#event("o", this.#shown.decode(bytes.subarray(start, end), { stream: true }), micros);
      },
      lost,
    });
  }

  add({ kind, payload, micros, flags }: Frame): void {
    if (kind === FRAME_KIND.input) this.#fromClient.push(payload, micros, flags);
    else if (kind === FRAME_KIND.output) this.#fromTarget.push(payload, micros, flags);
  }

  /** The lines that have come together. */
  take(): string[] {
    return this.#lines.splice(0);
  }

  end(): void {
    if (this.isOver) return;
    this.isOver = true;
    const { status, micros } = this.#exit ?? {};
    if (status !== undefined) this.#event("x", String(status), micros ?? this.#micros);
  }

  #says(by: Side, type: number, message: PrefixedMessage): void {
    const fields = new FieldReader(message);
    fields.byte();
    if (type === MESSAGE.channelOpen) return this.#open(by, fields);
    if (type < MESSAGE.channelOpenConfirmation || type > MESSAGE.channelFailure || this.isOver) return;
    const recipient = fields.uint32();
    if (by === "target" && recipient === this.#client) this.#targetSays(type, fields, message.micros);
    else if (by === "client" && recipient === this.#target && type === MESSAGE.channelRequest)
      this.#asked(fields, message);
  }

  /** Terminals are in channels of the client's alone (RFC 4254 §6.1). */
  #open(by: Side, fields: FieldReader): void {
    if (++this.#opened !== this.#channel) return;
    fields.string(0);
    if (by === "client") this.#client = fields.uint32();
    else this.end();
  }

  #targetSays(type: number, fields: FieldReader, micros: number): void {
    if (type === MESSAGE.channelOpenConfirmation) this.#target ??= fields.uint32();
    else if (type === MESSAGE.channelOpenFailure || type === MESSAGE.channelClose) this.end();
    else if (type === MESSAGE.channelRequest && fields.string(MAX_TERM_BYTES).text === "exit-status") {
      fields.boolean();
      this.#exit = { status: fields.uint32(), micros };
    }
  }

  #asked(fields: FieldReader, { micros, flags }: PrefixedMessage): void {
    if ((flags & FLAG_WITHHELD) !== 0) return;
    const name = fields.string(MAX_TERM_BYTES).text;
    fields.boolean();
    if (name === "pty-req")
      this.#terminal = { type: fields.string(MAX_TERM_BYTES).text, cols: fields.uint32(), rows: fields.uint32() };
    else if (name === "shell") this.#begin(undefined, micros);
    else if (name === "exec") this.#begin(fields.string(MAX_COMMAND_BYTES).text, micros);
    else if (name === "window-change" && this.#terminal !== undefined) {
      const { cols, rows } = Object.assign(this.#terminal, { cols: fields.uint32(), rows: fields.uint32() });
      this.#event("r", `${cols}x${rows}`, micros);
    }
  }

  #begin(command: string | undefined, micros: number): void {
    if (this.#hasBegun || this.#terminal === undefined) return;
    this.#hasBegun = true;
    this.#micros = micros;
    const { cols, rows, type } = this.#terminal;
    const timestamp = Math.floor((this.#about.startedAt + micros / 1_000) / 1_000);
    const header = { version: 3, term: { cols, rows, type }, timestamp, title: this.#about.title };
    this.#lines.push(`${JSON.stringify(command === undefined ? header : { ...header, command })}\n`);
  }

  /** Times are relative to the line before; none is negative. */
  #event(code: "o" | "i" | "r" | "x", data: string, micros: number): void {
    if (!this.#hasBegun || data === "") return;
    const interval = Math.max(micros - this.#micros, 0) / MICROS_PER_SECOND;
    this.#micros = Math.max(micros, this.#micros);
    this.#lines.push(`${JSON.stringify([interval, code, data])}\n`);
  }
}
