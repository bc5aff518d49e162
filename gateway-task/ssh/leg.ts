import type net from "node:net";
import ssh2, { type Client, type Connection } from "ssh2";
import crypto from "ssh2/lib/protocol/crypto.js";
import utils from "ssh2/lib/protocol/utils.js";
import { type Channel, openChannel } from "../channel.ts";
import type { Permit, Side } from "../recorder/permit.ts";
import { type AuthenticatingProtocol, logInByCertificate } from "./certificate-log-in.ts";
import { extendKeyExchange, sendMessage } from "./key-exchange.ts";
import { Inbox } from "./inbox.ts";
import { FIRST_CONNECTION_MESSAGE, FRAME_BYTES, message } from "./messages.ts";
import { Outbox } from "./outbox.ts";
import type { SessionCertificate } from "./session-certificate.ts";

/**
 * This file touches what ssh2 does not document; of key exchanges key-exchange.ts does, and of certificates host-certificate.ts and
 * certificate-log-in.ts. The library exchanges keys and authenticates; once that is done, messages of the connection protocol (RFC 4254) go past its channels and streams, which lose data.
 */
interface Internals {
  readonly _sock: net.Socket;
  readonly _protocol: Protocol;
}

interface Protocol extends AuthenticatingProtocol {
  /** Of a client's: USERAUTH_SUCCESS has been read. */
  readonly _authenticated: boolean;
  _onPayload: (payload: Buffer) => unknown;
  readonly _onPacket: () => void;
  /** Set while keys are exchanged: what is sent then waits in a queue. */
  readonly _kexinit: Buffer | undefined;
  /** What encrypts packets takes over, from the end of an exchange on. */
  _onWrite: (packet: Buffer) => void;
  readonly _cipher: { encrypt(packet: Buffer): void };
  /** How much of a packet's length it has: 0 between two packets. */
  readonly _decipher: { readonly _lenBytes: number };
  parse(bytes: Buffer, from: number, to: number): void;
  /** Undefined once the protocol cannot be used any more. */
  readonly _destruct: unknown;
  rekey(): void;
}

// The library would send keepalives of its own, and their replies would reach the other side.
(ssh2.Server as unknown as { KEEPALIVE_CLIENT_INTERVAL: number }).KEEPALIVE_CLIENT_INTERVAL = 0;

/** Unwritten bytes above which whoever produces them has to wait. */
const HIGH_WATER_MARK = 1 << 20;
/** Unwritten bytes above which a peer is not heard itself: far more than what it may be sent by those that have to wait. */
const MAX_UNREAD = 4 << 20;
/** RFC 4253 §9: new keys after a gigabyte, or an hour. */
const REKEY_BYTES = 2 ** 30;
const REKEY_MS = 3_600_000;
/** Messages that a target sends between its log-in and the session's start: its host keys, at most a few. */
const MAX_EARLY = 64;
/** For a peer to read our last word. */
const LINGER_MS = 2_000;

const DISCONNECT = 1;
const USERAUTH_BANNER = 53;
/** RFC 4253 §11.1 SSH_DISCONNECT_BY_APPLICATION. */
const BY_APPLICATION = 11;

/** Numbers of channels in a message, as one side knows them. */
export interface Renumbered {
  /** Of the recipient, which stands behind the message's type. */
  readonly recipient?: number;
  /** Of the sender, in a message that opens a channel or confirms one, and where in the message it stands. */
  readonly sender?: number;
  readonly senderAt?: number;
}

const SAME: Renumbered = {};

export interface LegEvents {
  /** One message of the connection protocol, valid during the call. */
  message(payload: Buffer): void;
  /** What `message` threw. */
  failed(error: unknown): void;
  /** No more comes. Called once, perhaps at once. */
  ended(): void;
}

/** Whether the library's fast ciphers have been built for this Node. */
export const HAS_FAST_CIPHERS = crypto.bindingAvailable;

/** The leg of a client of ours, which has begun to exchange keys with its target. @param by what it logs in by, where that is a certificate */
export function targetLeg(client: Client, by?: SessionCertificate): Leg<"target"> {
  const { _protocol } = client as unknown as Internals;
  if (by !== undefined) logInByCertificate(_protocol, by.certificate, by.keyType);
  return new Leg<"target">(client, () => _protocol._authenticated);
}

/** The leg of a client that has connected to us. */
export function clientLeg(connection: Connection): Leg<"client"> {
  const state = connection as unknown as { readonly authenticated: boolean };
  return new Leg<"client">(connection, () => state.authenticated);
}

/** The socket that a connection of our server's came by. */
export function socketOf(connection: Connection): net.Socket {
  return (connection as unknown as Internals)._sock;
}

/** Shows a client that has not signed in yet a text (RFC 4252 §5.4). */
export function sendBanner(connection: Connection, text: string): void {
  const { _protocol } = connection as unknown as Internals;
  if (_protocol._destruct !== undefined) sendMessage(_protocol, message(USERAUTH_BANNER, text, ""));
}

/** One side of a session: a client or a target whose log-in is done, seen as a stream of messages of the connection protocol. */
export class Leg<To extends Side> {
  readonly #socket: net.Socket;
  readonly #protocol: Protocol;
  #events: LegEvents | undefined;
  #early: Buffer[] = [];
  #pauses = 0;
  readonly #outbox: Outbox;
  readonly #inbox: Inbox;
  #channel: Channel<never> | undefined;
  #resumed: (() => void) | undefined;
  /** A packet of the outbox's, while it is encrypted where it lies. */
  #placed: Buffer | undefined;
  #corked = false;
  #bytes = 0;
  #keysSince = performance.now();
  #drained: (() => void)[] = [];
  #over = false;
  #saidSo = false;

  /**
   * @param connection a connection that has not exchanged keys yet
   * @param authenticated whether its log-in is done: only from then on is a message of the connection protocol ours
   */
  constructor(connection: Client | Connection, authenticated: () => boolean) {
    const { _sock, _protocol } = connection as unknown as Internals;
    this.#socket = _sock;
    this.#protocol = _protocol;
    extendKeyExchange(_protocol);
    this.#outbox = new Outbox(_sock);
    this.#inbox = new Inbox((bytes, from, to) => _protocol.parse(bytes, from, to));
    const write = _protocol._onWrite;
    _protocol._onWrite = (packet) => {
      if (packet === this.#placed) return void (this.#placed = undefined);
      this.#outbox.flush();
      write(packet);
    };
    const theirs = _protocol._onPayload;
    _protocol._onPayload = (payload) => {
      if (payload[0] === DISCONNECT) this.#saidSo = true;
      if ((payload[0] ?? 0) < FIRST_CONNECTION_MESSAGE || !authenticated()) return theirs(payload);
      _protocol._onPacket();
      return this.#receive(payload);
    };
    const wake = (): void => this.#wake();
    connection.on("handshake", () => setImmediate(wake)); // when it has sent what waited for the keys
    _sock.on("drain", wake);
    _sock.once("close", () => this.#ended());
    _sock.setNoDelay(true);
  }

  /** Starts to hand over messages, those first that have come already. */
  start(events: LegEvents): void {
    this.#events = events;
    for (const payload of this.#early.splice(0)) this.#receive(payload);
    if (this.#over) return events.ended();
    this.#takeOver();
  }

  /** From here on the library no longer reads the socket, which would take a new buffer each time. */
  #takeOver(): void {
    const socket = this.#socket;
    socket.removeAllListeners("data");
    socket.pause();
    this.#channel = openChannel<never>(socket);
    this.#channel.start({
      consumer: (bytes) => this.#read(bytes),
      failed: () => socket.destroy(),
      ended: () => this.#ended(),
    });
  }

  /** What the library throws is the peer's fault: the connection is lost. */
  #read(bytes: Buffer): true | Promise<void> {
    const protocol = this.#protocol;
    if (protocol._destruct === undefined) return true;
    if (protocol._decipher._lenBytes === 0) this.#inbox.push(bytes);
    else protocol.parse(bytes, 0, bytes.length);
    this.#demandReader();
    return this.#pauses === 0 || new Promise((done) => (this.#resumed = done));
  }

  /** Who asks and does not read what is answered is not heard until they do; not `drained`, since an exchange of keys needs to be heard. */
  #demandReader(): void {
    const socket = this.#socket;
    if (socket.writableLength <= MAX_UNREAD || socket.destroyed) return;
    this.pause();
    const read = (): void => {
      socket.off("drain", read);
      socket.off("close", read);
      this.resume();
    };
    socket.on("drain", read);
    socket.on("close", read);
  }

  /**
   * Sends a message; its bytes, which begin with its length as they stand in the recording, can be used again afterwards.
   * @param renumbered numbers of channels that are others at this side than in what is recorded
   */
  send({ bytes }: Permit<To>, { recipient, sender, senderAt }: Renumbered = SAME): void {
    const protocol = this.#protocol;
    if (protocol._destruct === undefined || !this.#socket.writable) return;
    if (recipient !== undefined) bytes.writeUInt32BE(recipient, FRAME_BYTES + 1);
    if (sender !== undefined) bytes.writeUInt32BE(sender, FRAME_BYTES + (senderAt ?? 0));
    const payload = bytes.subarray(FRAME_BYTES);
    if (!this.#place(payload)) {
      this.#cork();
      sendMessage(protocol, payload);
    }
    this.#count(bytes.length);
  }

  /** Makes and encrypts a packet in the outbox, where that can be done: not while keys are exchanged, and by fast ciphers only. */
  #place(payload: Buffer): boolean {
    const { _kexinit, _cipher } = this.#protocol;
    if (!HAS_FAST_CIPHERS || _kexinit !== undefined) return false;
    const packet = this.#outbox.packet(payload);
    if (packet === undefined) return false;
    this.#placed = packet;
    try {
      _cipher.encrypt(packet);
    } finally {
      if (this.#placed !== undefined) this.#dropUnencrypted(packet);
    }
    return true;
  }

  /** A packet that the cipher did not take must not leave as it is. */
  #dropUnencrypted(packet: Buffer): void {
    packet.fill(0);
    this.#placed = undefined;
    this.#socket.destroy();
  }

  /** Whether its peer has said that it goes (RFC 4253 §11.1). */
  get saidSo(): boolean {
    return this.#saidSo;
  }

  /** Whether its peer does not keep up. */
  get isFull(): boolean {
    return this.#socket.writableLength > HIGH_WATER_MARK || this.#protocol._kexinit !== undefined;
  }

  /** Resolves when it keeps up again, or is gone. */
  drained(): Promise<void> {
    if (this.#over || !this.isFull) return Promise.resolve();
    return new Promise((done) => this.#drained.push(done));
  }

  /** Reads nothing more until as many calls of `resume`. A few messages that are read already still come. */
  pause(): void {
    this.#pauses++;
  }

  resume(): void {
    if (--this.#pauses > 0) return;
    this.#resumed?.();
    this.#resumed = undefined;
  }

  /** Says why (RFC 4253 §11.1) and closes. */
  end(lastWord?: string): void {
    const socket = this.#socket;
    if (socket.destroyed) return;
    if (lastWord !== undefined && this.#protocol._destruct !== undefined) this.#disconnect(lastWord);
    this.#outbox.flush();
    if (this.#channel !== undefined) return this.#channel.end();
    socket.end();
    setTimeout(() => socket.destroy(), LINGER_MS).unref();
  }

  #receive(payload: Buffer): void {
    if (this.#events === undefined) {
      if (this.#early.length < MAX_EARLY) this.#early.push(Buffer.from(payload));
      else this.#socket.destroy();
      return;
    }
    this.#count(payload.length);
    try {
      this.#events.message(payload);
    } catch (error) {
      this.#events.failed(error);
    }
  }

  /** All that is sent within one turn leaves in as few writes as possible. */
  #cork(): void {
    if (this.#corked) return;
    this.#corked = true;
    this.#socket.cork();
    queueMicrotask(() => {
      this.#corked = false;
      this.#socket.uncork();
    });
  }

  #count(bytes: number): void {
    this.#bytes += bytes;
    const now = performance.now();
    if (this.#bytes < REKEY_BYTES && now - this.#keysSince < REKEY_MS) return;
    if (this.#protocol._kexinit !== undefined) return;
    this.#bytes = 0;
    this.#keysSince = now;
    this.#protocol.rekey();
  }

  #disconnect(why: string): void {
    const { write } = this.#protocol._packetRW;
    const payload = message(DISCONNECT, BY_APPLICATION, why, "");
    const packet = write.alloc(payload.length, true);
    packet.set(payload, write.allocStartKEX);
    utils.sendPacket(this.#protocol, write.finalize(packet, true), true);
  }

  #wake(): void {
    if (!this.#over && this.isFull) return;
    for (const done of this.#drained.splice(0)) done();
  }

  #ended(): void {
    if (this.#over) return;
    this.#over = true;
    this.#wake();
    this.#events?.ended();
  }
}
