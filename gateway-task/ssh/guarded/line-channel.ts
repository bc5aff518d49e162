import { SallyportError } from "../../../core/errors.ts";
import { EchoWatch } from "../echo-watch.ts";
import type { Channel, Channels } from "../channels.ts";
import { withoutSecrets } from "../channel-requests.ts";
import { DATA_AT, MESSAGE, message, MessageFields } from "../messages.ts";
import type { Passage } from "../passage.ts";
import type { OutputFilter } from "./output-filter.ts";
import type { WrappedLine } from "./wrapper.ts";

/** What the target may send before it is on its way to the client: half of what OpenSSH's client gives. */
const WINDOW = 1 << 20;
const PACKET = 32 << 10;
const EXTENDED_DATA_AT = 13;
/** What may be typed ahead of what the target reads: more than any window of a client's. */
const MAX_TYPED_AHEAD = 4 << 20;
/** What a message weighs there beside its bytes. */
const KEPT_BYTES = 128;
/** Of a CHANNEL_OPEN of a session: behind its type and its kind. */
const SENDER_AT = 1 + 4 + "session".length;
/** When a line has ended, how long what it left running may be silent before its channel is closed. */
const LINGER_MS = 200;

/** A request of the client's channel, made in the line's: its name, and its fields. */
export interface Given {
  readonly name: "env" | "pty-req" | "window-change" | "signal";
  readonly fields: Buffer;
}

/** How a line ended. */
export interface LineEnd {
  /** As a shell tells it; undefined where the target did not. */
  readonly status: number | undefined;
  /** Why it did not run. */
  readonly why?: string | undefined;
}

export interface LineEvents {
  shown(bytes: Buffer, error: boolean): void;
  /** So many bytes of what was typed have gone on. */
  typed(bytes: number): void;
  ended(end: LineEnd): void;
}

/** 128 and the number of each signal that ends things (POSIX.1-2024, kill; RFC 4254 §6.10 names them so). */
const SIGNALS: Readonly<Record<string, number>> = { HUP: 1, INT: 2, QUIT: 3, ILL: 4, ABRT: 6, FPE: 8, KILL: 9, USR1: 10, SEGV: 11, USR2: 12, PIPE: 13, ALRM: 14, TERM: 15 }; // prettier-ignore

/** A channel of the gateway's own at the target, in which one line runs. Recorded as any other. */
export class LineChannel {
  readonly #passage: Passage;
  readonly #channels: Channels;
  readonly #channel: Channel;
  readonly #line: WrappedLine;
  readonly #given: readonly Given[];
  readonly #filter: OutputFilter;
  readonly #storesOutput: boolean;
  readonly #events: LineEvents;
  readonly #terminal: boolean;
  readonly #echo = new EchoWatch();
  #typed: Buffer[] = [];
  /** What it weighs. */
  #waits = 0;
  #room = 0;
  #packet = PACKET;
  /** Bytes that have left towards the client, and are not yet given back to the target. */
  #gone = 0;
  #status: number | undefined;
  #why: string | undefined;
  #opened = false;
  #closing = false;
  #linger: NodeJS.Timeout | undefined;

  constructor(
    passage: Passage,
    channels: Channels,
    what: { line: WrappedLine; given: readonly Given[]; filter: OutputFilter; storesOutput: boolean },
    events: LineEvents,
  ) {
    this.#passage = passage;
    this.#channels = channels;
    this.#line = what.line;
    this.#given = what.given;
    this.#filter = what.filter;
    this.#storesOutput = what.storesOutput;
    this.#events = events;
    this.#terminal = what.given.some(({ name }) => name === "pty-req");
    this.#channel = channels.openOurs(this);
    const opening = message(MESSAGE.channelOpen, "session", this.#channel.client, WINDOW, PACKET);
    passage.pass(opening, { sender: this.#channel.shown, senderAt: SENDER_AT });
  }

  /** Takes what the target says of it. */
  message(type: number, bytes: Buffer): void {
    bytes.writeUInt32BE(this.#channel.client, 1);
    if (type === MESSAGE.channelOpenConfirmation) this.#channels.confirmed(this.#channel, bytes);
    if (type !== MESSAGE.channelData && type !== MESSAGE.channelExtendedData) this.#passage.heard(bytes);
    switch (type) {
      case MESSAGE.channelOpenConfirmation:
        return this.#confirmed(bytes);
      case MESSAGE.channelOpenFailure:
        this.#channels.closed(this.#channel, "client");
        this.#channels.closed(this.#channel, "target");
        return this.#events.ended({ status: undefined, why: new MessageFields(bytes, DATA_AT).text() });
      case MESSAGE.channelWindowAdjust:
        this.#room += bytes.readUInt32BE(5);
        return this.#flush();
      case MESSAGE.channelData:
        return this.#shown(bytes.subarray(DATA_AT), false);
      case MESSAGE.channelExtendedData:
        return this.#shown(bytes.subarray(EXTENDED_DATA_AT), true);
      case MESSAGE.channelRequest:
        return this.#told(new MessageFields(bytes, DATA_AT - 4));
      case MESSAGE.channelFailure:
        this.#why = "it does not run commands";
        return this.close();
      case MESSAGE.channelClose:
        return this.#closed();
    }
  }

  /** Types something into it. */
  type(bytes: Buffer): void {
    this.#waits += bytes.length + KEPT_BYTES;
    if (this.#waits > MAX_TYPED_AHEAD)
      throw new SallyportError("limit-exceeded", "the client sent more than its window has room for");
    this.#typed.push(Buffer.from(bytes));
    this.#flush();
  }

  /** What was typed and has not gone on. */
  get untyped(): Buffer {
    return Buffer.concat(this.#typed);
  }

  /** The terminal's size has changed, or a signal is sent. */
  give({ name, fields }: Given): void {
    if (this.#opened && !this.#closing) this.#request(name, false, fields);
  }

  /** So many bytes of what it has shown have left. */
  sent(bytes: number): void {
    this.#gone += bytes;
    if (this.#gone < WINDOW / 4 || this.#closing) return;
    this.#passage.sayIn(this.#channel, MESSAGE.channelWindowAdjust, this.#gone);
    this.#gone = 0;
  }

  /** Ends it, whatever runs. */
  close(): void {
    if (this.#closing) return;
    this.#closing = true;
    clearTimeout(this.#linger);
    if (!this.#opened) return;
    this.#channels.closed(this.#channel, "client");
    this.#passage.sayIn(this.#channel, MESSAGE.channelClose);
  }

  #confirmed(bytes: Buffer): void {
    this.#opened = true;
    this.#room = bytes.readUInt32BE(9);
    this.#packet = Math.max(bytes.readUInt32BE(13), 1);
    const gaveUp = this.#closing;
    this.#closing = false;
    if (gaveUp) return this.close();
    for (const { name, fields } of this.#given) this.#request(name, false, fields);
    const { command, recorded } = this.#line;
    const exec = (text: Buffer): Buffer => message(MESSAGE.channelRequest, this.#channel.shown, "exec", true, text);
    const request = exec(command);
    const stored = withoutSecrets("exec", recorded === command ? request : exec(recorded));
    this.#passage.passIn(this.#channel, request, stored);
    if (!this.#terminal) this.#passage.sayIn(this.#channel, MESSAGE.channelEof);
    this.#flush();
  }

  #request(name: string, wantReply: boolean, fields: Buffer): void {
    const head = message(MESSAGE.channelRequest, this.#channel.shown, name, wantReply);
    const request = Buffer.concat([head, fields]);
    this.#passage.passIn(this.#channel, request, withoutSecrets(name, request));
  }

  #shown(bytes: Buffer, error: boolean): void {
    const shown = error ? bytes : this.#filter.push(bytes);
    const hidden = bytes.length - shown.length;
    if (hidden > 0) this.sent(hidden);
    this.#show(shown, error);
    if (this.#linger !== undefined) this.#linger.refresh();
    else this.#closeBehind();
  }

  #show(bytes: Buffer, error: boolean): void {
    if (bytes.length === 0 || this.#closing) return;
    const shown = Buffer.from(bytes);
    const { client } = this.#channel;
    // What the wrapper tells behind it is neither shown nor stored: there are secrets among variables.
    const data = error
      ? message(MESSAGE.channelExtendedData, client, 1, shown)
      : message(MESSAGE.channelData, client, shown);
    if (this.#storesOutput) this.#passage.heard(data);
    if (!error) this.#echo.shown(shown);
    this.#events.shown(shown, error);
  }

  #told(fields: MessageFields): void {
    const name = fields.text();
    const wantReply = fields.boolean();
    if (name === "exit-status") this.#status = fields.uint32();
    else if (name === "exit-signal") this.#status = 128 + (SIGNALS[fields.text()] ?? 0);
    if (wantReply && !this.#closing) this.#passage.sayIn(this.#channel, MESSAGE.channelFailure);
    this.#closeBehind();
  }

  /** What a line leaves running may hold its channel open. */
  #closeBehind(): void {
    if (this.#status === undefined || this.#filter.told === undefined || this.#closing) return;
    this.#linger = this.#passage.later(LINGER_MS, () => this.close());
  }

  #closed(): void {
    clearTimeout(this.#linger);
    this.#show(this.#filter.finish(), false);
    this.#channels.closed(this.#channel, "target");
    this.close();
    this.#events.ended({ status: this.#status, why: this.#why });
  }

  #flush(): void {
    if (!this.#opened || this.#closing) return;
    for (let next = this.#typed[0]; next !== undefined && this.#room > 0; next = this.#typed[0]) {
      const piece = next.subarray(0, Math.min(this.#room, this.#packet));
      const isAll = piece.length === next.length;
      if (isAll) this.#typed.shift();
      else this.#typed[0] = next.subarray(piece.length);
      this.#waits -= piece.length + (isAll ? KEPT_BYTES : 0);
      this.#room -= piece.length;
      const { shown } = this.#channel;
      const data = message(MESSAGE.channelData, shown, piece);
      const stored = this.#echo.typed(piece);
      this.#passage.passIn(this.#channel, data, stored === piece ? data : message(MESSAGE.channelData, shown, stored));
      this.#events.typed(piece.length);
    }
  }
}
