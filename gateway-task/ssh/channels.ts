import type { Side } from "../recorder/permit.ts";
import type { EchoWatch } from "./echo-watch.ts";
import type { GivenRequests } from "./guarded/given-requests.ts";
import type { GuardedShell } from "./guarded/guarded-shell.ts";
import type { LineChannel } from "./guarded/line-channel.ts";
import { InnerSsh } from "./inner-ssh.ts";
import { clampPacketSize } from "./messages.ts";
import { SallyportError } from "../../core/errors.ts";
import { Replies } from "./replies.ts";
import type { SftpChannel } from "./sftp-channel.ts";

/** Messages of a channel that wait for a decision. */
interface Backlog {
  readonly messages: Buffer[];
  bytes: number;
}

/** A channel (RFC 4254 §5). Each side has a number for it; the other side's messages name it by that. */
export interface Channel {
  readonly kind: string;
  readonly openedBy: Side;
  client: number;
  target: number;
  /** Where a terminal was asked for: whether it shows what is typed. */
  echo: EchoWatch | undefined;
  /** Where it is a forward: whether it carries SSH. */
  readonly inner: InnerSsh | undefined;
  /** Where it carries the file transfer protocol. */
  sftp: SftpChannel | undefined;
  /** What the client's channel can take from us, as far as we are its far end. */
  readonly room: { window: number; packet: number };
  /** Where a shell in it would be guarded: what was asked for it so far; and that shell, once it is there. */
  given: GivenRequests | undefined;
  shell: GuardedShell | undefined;
  /** Where it is one of ours: what runs in it. */
  line: LineChannel | undefined;
  /** Answers to requests of the client's. */
  readonly replies: Replies;
  /** Bytes of ours that the client's window was spent on: the target does not know of them. */
  debt: number;
  /** Bytes of window that we gave the client, and the target has not given yet: until it does, what the client sends waits. */
  credit: number;
  /** Set while something of it waits for a decision. */
  backlog: Backlog | undefined;
  /** Gives up what is held. */
  giveUp: (() => void) | undefined;
  closedByClient: boolean;
  closedByTarget: boolean;
  /** What was asked in it is refused: nothing more of the client's goes on. */
  refused: boolean;
  /** We have closed it towards the client: nothing more of the target's goes on either. */
  silenced: boolean;
}

/** Kinds of channels that carry other connections. */
const FORWARDS: ReadonlySet<string> = new Set([
  "direct-tcpip",
  "direct-streamlocal@openssh.com",
  "forwarded-tcpip",
  "forwarded-streamlocal@openssh.com",
]);

/** Channels of one session at a time; OpenSSH's server allows ten sessions, ControlMaster and forwards hundreds. */
const MAX_CHANNELS = 1_024;
/** From here on, the numbers on the client's side are for channels of our own: clients count from 0. */
const FIRST_OF_OURS = 0x4000_0000;
const LAST_OF_OURS = 0x7fff_ffff;

/** Whether a number that a client has chosen is for channels of our own. */
export function isOurs(number: number): boolean {
  return number >= FIRST_OF_OURS && number <= LAST_OF_OURS;
}

/** A session's channels, by either side's number. */
export class Channels {
  readonly #byClient = new Map<number, Channel>();
  readonly #byTarget = new Map<number, Channel>();
  /** Refused ones that the target has not closed yet: the client may use their numbers again before it has. */
  readonly #draining = new Map<number, Channel>();
  #next = FIRST_OF_OURS;

  /** Undefined where there are too many, or the number is in use. */
  open(openedBy: Side, number: number, kind: string): Channel | undefined {
    const own = openedBy === "client" ? this.#byClient : this.#byTarget;
    if (own.has(number) || this.#byClient.size + this.#byTarget.size >= 2 * MAX_CHANNELS) return undefined;
    const channel: Channel = {
      kind,
      openedBy,
      client: -1,
      target: -1,
      echo: undefined,
      inner: FORWARDS.has(kind) ? new InnerSsh() : undefined,
      sftp: undefined,
      room: { window: 0, packet: 0 },
      given: undefined,
      shell: undefined,
      line: undefined,
      replies: new Replies(),
      debt: 0,
      credit: 0,
      backlog: undefined,
      giveUp: undefined,
      closedByClient: false,
      closedByTarget: false,
      refused: false,
      silenced: false,
    };
    channel[openedBy] = number;
    own.set(number, channel);
    return channel;
  }

  /** A channel that we open at the target, as if the client did. Throws `limit-exceeded` where there are too many. */
  openOurs(line: LineChannel): Channel {
    const number = this.#next;
    this.#next = number === LAST_OF_OURS ? FIRST_OF_OURS : number + 1;
    const channel = this.open("client", number, "session");
    if (channel === undefined) throw new SallyportError("limit-exceeded", "the session has too many channels");
    channel.line = line;
    return channel;
  }

  /** Takes the confirmation of a channel. Throws `protocol-violation` where its number is in use. */
  confirmed(channel: Channel, confirmation: Buffer): void {
    clampPacketSize(confirmation, 13);
    if (this.#confirm(channel, confirmation.readUInt32BE(5))) return;
    throw new SallyportError("protocol-violation", "a channel's number is in use");
  }

  /** The channel that was opened by the one side is known to the other by this number. */
  #confirm(channel: Channel, number: number): boolean {
    const other = channel.openedBy === "client" ? "target" : "client";
    const numbers = other === "client" ? this.#byClient : this.#byTarget;
    if (numbers.has(number)) return false;
    channel[other] = number;
    numbers.set(number, channel);
    return true;
  }

  /** What a message to this side calls by this number. */
  named(side: Side, number: number): Channel | undefined {
    if (side === "target") return this.#byTarget.get(number);
    return this.#draining.get(number) ?? this.#byClient.get(number);
  }

  /** We have closed it towards the client, which may use its number again at once. */
  silence(channel: Channel): void {
    channel.silenced = true;
    this.#byClient.delete(channel.client);
    this.#draining.set(channel.client, channel);
  }

  /** Notes that a side has closed it, or that it was never opened there. */
  closed(channel: Channel, by: Side): void {
    if (by === "client") channel.closedByClient = true;
    else channel.closedByTarget = true;
    if (channel.silenced && channel.closedByTarget) forget(this.#draining, channel.client, channel);
    if (!channel.closedByClient || !channel.closedByTarget) return;
    forget(this.#byClient, channel.client, channel);
    forget(this.#byTarget, channel.target, channel);
  }
}

function forget(numbers: Map<number, Channel>, number: number, channel: Channel): void {
  if (numbers.get(number) === channel) numbers.delete(number);
}
