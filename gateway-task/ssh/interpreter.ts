import { FORGOTTEN, type SessionEvent } from "../../core/recording/events.ts";
import { FLAG_WITHHELD } from "../../core/recording/frame.ts";
import type { Interpreter, NewInterpreter } from "../../core/recording/interpreter.ts";
import { ChannelTable, type NumberedChannel, type Side } from "../../core/ssh/channel-table.ts";
import { ConnectionReader, MESSAGE, PLAIN_DATA } from "../../core/ssh/connection-reader.ts";
import { FieldReader } from "../../core/ssh/field-reader.ts";
import type { PrefixedMessage } from "../../core/ssh/prefixed-reader.ts";
import { type Channel, heldBy, nameOf, openingOf } from "./channel.ts";
import { Commands } from "./commands.ts";
import { Forwards } from "./forwards.ts";
import { MAX_MESSAGE_BYTES } from "./tap.ts";

const STDERR = 1;
const TOO_MANY = "too many channels are open at once: not all of them are followed";
/** A target may take the request all the same, if the client guesses the number that it will give: the gateway must not pass it. */
const NOT_GIVEN = "the client asks for something on a channel that it was not given: that is not followed";
/** A channel was asked for, and nobody answered: no code of RFC 4254 §5.1. */
const UNANSWERED = { code: 0, message: "it was never answered" };

/**
 * Derives events from an SSH session as it was recorded (ADR 0011): channels and forwards with their bytes, commands with
 * their ends, variables, windows and signals, the files that sftp and the old scp move. A command's text is kept up to
 * 64 KiB, a path or name up to 4 KiB; of data nothing is kept but its count, and of files their hash.
 * A direction, a channel or a protocol within one that cannot be followed any further is told once, by `not-followed`.
 */
export const sshInterpreter: NewInterpreter = (emit) => new SshInterpreter(emit);

class SshInterpreter implements Interpreter {
  readonly #emit: (event: SessionEvent, micros: number) => void;
  readonly #commands: Commands;
  readonly #forwards: Forwards;
  readonly #channels: ChannelTable<Channel>;
  readonly #fromClient: ConnectionReader;
  readonly #fromTarget: ConnectionReader;
  #micros = 0;
  /** What needs to be said once. */
  readonly #said = new Set<string>();
  /** Nothing more is told: the session is over, or can no longer be followed. */
  #isOver = false;

  constructor(emit: (event: SessionEvent, micros: number) => void) {
    this.#emit = emit;
    this.#commands = new Commands(emit);
    this.#forwards = new Forwards(emit);
    this.#channels = new ChannelTable((channel) => this.#over(channel, this.#micros));
    this.#fromClient = new ConnectionReader({
      message: (type, message) => this.#clientSays(type, message),
      data: (recipient, _code, bytes, start, end, message, flags) =>
        this.#clientSends(recipient, bytes, start, end, message.micros, flags),
      lost: (why, message) => this.#lose("the client", why, message),
    });
    this.#fromTarget = new ConnectionReader({
      message: (type, message) => this.#targetSays(type, message),
      data: (recipient, code, bytes, start, end, message, flags) =>
        this.#targetSends(recipient, code, bytes, start, end, message, flags),
      lost: (why, message) => {
        this.#lose("the target", why, message);
        this.finish(message.micros);
      },
    });
  }

  get statements(): number {
    return this.#commands.asked;
  }

  get held(): number {
    let held = this.#forwards.held + this.#fromClient.held + this.#fromTarget.held;
    for (const channel of this.#channels) held += heldBy(channel);
    return held;
  }

  input(bytes: Buffer, micros: number, flags: number, start = 0, end = bytes.length): void {
    this.#micros = micros;
    this.#fromClient.push(bytes, micros, flags, start, end);
  }

  output(bytes: Buffer, micros: number, flags: number, start = 0, end = bytes.length): void {
    this.#micros = micros;
    this.#fromTarget.push(bytes, micros, flags, start, end);
  }

  finish(micros: number): void {
    this.#isOver = true;
    this.#forwards.finish(micros);
    for (const channel of this.#channels) this.#over(channel, micros);
    this.#channels.clear();
  }

  forget(micros: number): void {
    this.#emit(FORGOTTEN, micros);
    this.finish(micros);
  }

  #clientSays(type: number, message: PrefixedMessage): void {
    if (type === MESSAGE.globalRequest) return this.#forwards.requested(message);
    const channel = this.#channelOf("client", type, message);
    if (channel === undefined || type !== MESSAGE.channelRequest) return;
    this.#commands.requested(channel, behindRecipient(message), message);
  }

  #targetSays(type: number, message: PrefixedMessage): void {
    if (type === MESSAGE.requestSuccess || type === MESSAGE.requestFailure)
      return this.#forwards.answered(message, type === MESSAGE.requestSuccess);
    const channel = this.#channelOf("target", type, message);
    if (channel === undefined) return;
    this.#commands.shown(channel, message);
    if (type === MESSAGE.channelRequest) this.#commands.told(channel, behindRecipient(message));
    else if (type === MESSAGE.channelSuccess || type === MESSAGE.channelFailure)
      this.#commands.answered(channel, type === MESSAGE.channelSuccess, message.micros);
  }

  /** What both sides say of channels; answers the channel that is meant, if what is said of it is something else. */
  #channelOf(by: Side, type: number, message: PrefixedMessage): Channel | undefined {
    const fields = new FieldReader(message);
    fields.byte();
    if (type === MESSAGE.channelOpen) return this.#open(by, fields, message);
    if (type < MESSAGE.channelOpenConfirmation || type > MESSAGE.channelFailure) return undefined;
    const recipient = fields.uint32();
    if (type === MESSAGE.channelOpenConfirmation) return this.#confirm(by, recipient, fields.uint32(), message.micros);
    const channel = this.#channels.of(by, recipient);
    if (channel === undefined) {
      if (by === "client" && type === MESSAGE.channelRequest && !this.#said.has(TOO_MANY))
        this.#sayOnce(NOT_GIVEN, message.micros);
      return undefined;
    }
    if (type === MESSAGE.channelOpenFailure) return this.#fail(by, channel, fields, message.micros);
    if (type === MESSAGE.channelClose) return this.#close(by, channel, message);
    return type === MESSAGE.channelWindowAdjust || type === MESSAGE.channelEof ? undefined : channel;
  }

  #open(by: Side, fields: FieldReader, message: PrefixedMessage): undefined {
    const kind = nameOf(fields);
    const number = fields.uint32();
    const { micros } = message;
    const channel = this.#channels.open(by, number, (numbered: NumberedChannel) => ({
      ...numbered,
      opening: openingOf(kind, fields),
      refused: (message.flags & FLAG_WITHHELD) !== 0,
      askedAt: micros,
      openedAt: -1,
      fromClient: 0,
      toClient: 0,
      terminal: undefined,
      run: undefined,
      awaited: [],
      isBlind: false,
      closedBy: undefined,
    }));
    if (channel === undefined) this.#sayOnce(TOO_MANY, micros);
    return undefined;
  }

  #confirm(by: Side, recipient: number, number: number, micros: number): undefined {
    const channel = this.#channels.confirm(by, recipient, number);
    if (channel === undefined) return undefined;
    channel.openedAt = micros;
    this.#tellOpened(channel, undefined, micros);
    return undefined;
  }

  #fail(by: Side, channel: Channel, fields: FieldReader, micros: number): undefined {
    if (channel.openedAt >= 0 || channel.by === by) return undefined;
    const code = fields.uint32();
    this.#commands.closed(channel, undefined, micros);
    this.#tellOpened(channel, { code, message: fields.string(MAX_MESSAGE_BYTES).text }, micros);
    this.#channels.remove(channel);
    return undefined;
  }

  #close(by: Side, channel: Channel, message: PrefixedMessage): undefined {
    const { micros } = message;
    if (by === "target") {
      this.#commands.shown(channel, message);
      this.#commands.closed(channel, micros, micros);
    }
    if (channel.closedBy === by) return undefined;
    if (channel.closedBy === undefined) channel.closedBy = by;
    else {
      this.#tellClosed(channel, channel.closedBy, micros);
      this.#channels.remove(channel);
    }
    return undefined;
  }

  #clientSends(recipient: number, bytes: Buffer, start: number, end: number, micros: number, flags: number): void {
    const channel = this.#channels.of("client", recipient);
    if (channel === undefined) return;
    const { run } = channel;
    if ((flags & FLAG_WITHHELD) === 0) {
      channel.fromClient += end - start;
      if (run !== undefined) run.stdin += end - start;
    }
    run?.tap?.fromClient(bytes, start, end, micros, flags);
  }

  #targetSends(
    recipient: number,
    code: number,
    bytes: Buffer,
    start: number,
    end: number,
    message: PrefixedMessage,
    flags: number,
  ): void {
    // prettier-ignore
    const channel = this.#channels.of("target", recipient);
    if (channel === undefined) return;
    channel.toClient += end - start;
    const { run } = channel;
    if (run === undefined) return;
    this.#commands.shown(channel, message);
    if (code === STDERR) run.stderr += end - start;
    if (code !== PLAIN_DATA) return;
    run.stdout += end - start;
    run.tap?.fromTarget(bytes, start, end, message.micros, flags);
  }

  /** The session ends while this channel is open, or asked for. */
  #over(channel: Channel, micros: number): void {
    // A client may ask for something before it confirms a channel that the target opened.
    this.#commands.closed(channel, undefined, micros);
    if (channel.openedAt < 0) return this.#tellOpened(channel, UNANSWERED, micros);
    this.#tellClosed(channel, channel.closedBy ?? "session", micros);
  }

  #tellOpened(
    { number, by, opening, askedAt, refused }: Channel,
    failed: { code: number; message: string } | undefined,
    micros: number,
  ): void {
    // prettier-ignore
    this.#emit(
      {
        type: "channel-opened",
        channel: number,
        ...opening,
        by,
        askedAt,
        ...(refused ? { refused } : {}),
        ...(failed === undefined ? {} : { failed }),
      },
      micros,
    );
  }

  #tellClosed(channel: Channel, by: Side | "session", micros: number): void {
    const { number, opening, openedAt, fromClient, toClient } = channel;
    const duration = micros - openedAt;
    this.#emit({ type: "channel-closed", channel: number, kind: opening.kind, openedAt, duration, by, fromClient, toClient }, micros); // prettier-ignore
  }

  #sayOnce(message: string, micros: number): void {
    if (this.#isOver || this.#said.has(message)) return;
    this.#said.add(message);
    this.#emit({ type: "not-followed", message }, micros);
  }

  #lose(who: string, why: string, { from, micros }: PrefixedMessage): void {
    const message = `what ${who} says cannot be followed from offset ${from} on: ${why}`;
    this.#emit({ type: "not-followed", message }, micros);
  }
}

function behindRecipient(message: PrefixedMessage): FieldReader {
  const fields = new FieldReader(message);
  fields.byte();
  fields.uint32();
  return fields;
}
