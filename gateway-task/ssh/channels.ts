import type { Side } from "../recorder/permit.ts";
import type { EchoWatch } from "./echo-watch.ts";
import { InnerSsh } from "./inner-ssh.ts";
import type { LineKeeper } from "./lines/line-keeper.ts";
import type { TerminalSize } from "./lines/terminal-model.ts";
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
  /** And how large it is. */
  terminal: TerminalSize | undefined;
  /** Where a shell runs on it, and there are policies: what is entered there line by line. */
  lines: LineKeeper | undefined;
  /** Where it is a forward: whether it carries SSH. */
  readonly inner: InnerSsh | undefined;
  /** Where it carries the file transfer protocol. */
  sftp: SftpChannel | undefined;
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

/** A session's channels, by either side's number. */
export class Channels {
  readonly #byClient = new Map<number, Channel>();
  readonly #byTarget = new Map<number, Channel>();
  /** Refused ones that the target has not closed yet: the client may use their numbers again before it has. */
  readonly #draining = new Map<number, Channel>();

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
      terminal: undefined,
      lines: undefined,
      inner: FORWARDS.has(kind) ? new InnerSsh() : undefined,
      sftp: undefined,
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

  /** The channel that was opened by the one side is known to the other by this number. */
  confirm(channel: Channel, number: number): boolean {
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
