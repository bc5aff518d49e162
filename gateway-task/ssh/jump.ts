import { Duplex } from "node:stream";
import type net from "node:net";
import type { SessionId } from "../../core/ports/session-store.ts";
import type { Channel, Channels } from "./channels.ts";
import { ClientEnd } from "./client-end.ts";
import { DATA_AT, MESSAGE, message, MessageFields } from "./messages.ts";
import type { Passage } from "./passage.ts";

/** Bytes that a client may send ahead of what is read: about what OpenSSH's server gives. */
const WINDOW = 1 << 20;
const PACKET = 32 << 10;

/** A client that has come through a session of its own (`ssh -J`). */
export interface Via {
  readonly session: SessionId;
  /** `address:port` of that session's client. */
  readonly client: string;
  /** The connections that lead to where it wants to: one, as a rule. */
  readonly connections: readonly string[];
}

/** Serves a client that comes by this socket; or tells why not. */
export type TakeJump = (socket: net.Socket, via: Via) => string | undefined;

/**
 * The gateway's end of a forward that leads to a target which it knows: what the client then does there by SSH ends at the gateway,
 * signs in, is judged and recorded as any other session. To the session that it comes through it is bytes, recorded as they are.
 */
export class Jump {
  readonly #passage: Passage;
  readonly #channels: Channels;
  readonly #channel: Channel;
  readonly #client: ClientEnd;
  readonly #socket: ChannelSocket;
  #over = false;

  constructor(passage: Passage, channels: Channels, channel: Channel) {
    this.#passage = passage;
    this.#channels = channels;
    this.#channel = channel;
    this.#client = new ClientEnd(passage, channel, { window: WINDOW, given: WINDOW });
    this.#socket = new ChannelSocket({
      written: (bytes, sent) => passage.byItself(() => this.#written(bytes, sent)),
      read: (bytes) => passage.byItself(() => this.#client.used(bytes)),
      ended: () => passage.byItself(() => this.#ended()),
    });
  }

  /** For whoever serves the client, who reads what it says and writes what is said to it. */
  get socket(): net.Socket {
    return this.#socket as unknown as net.Socket;
  }

  /** Tells the client that the channel is open. */
  start(): void {
    const confirmation = message(MESSAGE.channelOpenConfirmation, this.#channel.client, 0, WINDOW, PACKET);
    this.#channels.confirmed(this.#channel, confirmation);
    this.#passage.toClient.pass(confirmation);
  }

  /** Takes what the client says in its channel. */
  message(type: number, bytes: Buffer): void {
    if (type === MESSAGE.channelWindowAdjust) return this.#client.granted(bytes.readUInt32BE(5));
    this.#passage.asked(bytes);
    switch (type) {
      case MESSAGE.channelData:
        return this.#said(bytes.subarray(DATA_AT));
      case MESSAGE.channelEof:
        return this.#socket.saidAll();
      case MESSAGE.channelRequest:
        return this.#refuse(new MessageFields(bytes, DATA_AT - 4));
      case MESSAGE.channelClose:
        this.#channels.closed(this.#channel, "client");
        if (this.#over) return;
        this.#client.abandon();
        this.#socket.destroy();
        return this.#close();
    }
  }

  /** The session that it comes through is over, and so is what came through it. */
  end(): void {
    this.#over = true;
    this.#client.abandon();
    this.#socket.destroy();
  }

  #said(bytes: Buffer): void {
    if (this.#over) return; // it has not read yet that we have closed the channel
    this.#client.came(bytes.length);
    this.#socket.said(Buffer.from(bytes));
  }

  #refuse(fields: MessageFields): void {
    fields.bytes();
    if (this.#over) return;
    if (fields.boolean()) this.#passage.say(MESSAGE.channelFailure, this.#channel.client);
  }

  /** `sent` is called when the client's window has taken it all, and the client's own connection, too. */
  #written(bytes: Buffer, sent: () => void): void {
    let left = bytes.length;
    if (left === 0) return sent();
    this.#client.write(bytes, false, (count) => {
      left -= count;
      const keptUp = left > 0 || this.#passage.toClient.keptUp();
      if (keptUp instanceof Promise) void keptUp.then(sent);
      else if (left === 0) sent();
    });
  }

  #ended(): void {
    if (!this.#over) this.#client.end(undefined, () => this.#gone());
  }

  /** We have closed it behind all that was said. */
  #gone(): void {
    this.#over = true;
    this.#channels.closed(this.#channel, "target");
  }

  #close(): void {
    if (this.#over) return;
    this.#passage.say(MESSAGE.channelClose, this.#channel.client);
    this.#gone();
  }
}

interface SocketEvents {
  /** Something is to be said to the client; `sent` when it has left. */
  readonly written: (bytes: Buffer, sent: () => void) => void;
  /** So much of what the client said has been read. */
  readonly read: (bytes: number) => void;
  readonly ended: () => void;
}

/** A channel as a socket, as far as one is needed here. */
class ChannelSocket extends Duplex {
  readonly #events: SocketEvents;
  #unread = 0;

  constructor(events: SocketEvents) {
    super({ allowHalfOpen: false });
    this.#events = events;
    this.once("close", () => events.ended());
  }

  said(bytes: Buffer): void {
    if (this.destroyed || bytes.length === 0) return;
    this.#unread += bytes.length;
    if (this.push(bytes)) this.#give();
  }

  saidAll(): void {
    if (!this.destroyed) this.push(null);
  }

  setNoDelay(): this {
    return this;
  }

  override _read(): void {
    this.#give();
  }

  /**
   * Whoever writes may use the memory again once the channel is closed: what waits for the client's window has its own. And they may be
   * in the midst of a message of the other session's, so that it is not gone on with at once.
   */
  override _write(bytes: Buffer, _encoding: BufferEncoding, done: () => void): void {
    const copy = Buffer.from(bytes);
    process.nextTick(() => this.#events.written(copy, done));
  }

  override _final(done: () => void): void {
    this.#events.ended();
    done();
  }

  #give(): void {
    const read = this.#unread;
    this.#unread = 0;
    if (read > 0) this.#events.read(read);
  }
}
