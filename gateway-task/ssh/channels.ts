import type { Side } from "../recorder/permit.ts";
import type { EchoWatch } from "./echo-watch.ts";
import { InnerSsh } from "./inner-ssh.ts";
import type { OutputMasker } from "./masking/output-masker.ts";
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
  /** The client's number: what messages to the client name it by; and the target's. */
  client: number;
  target: number;
  /**
   * What either side knows the other's number as. A side uses a number again when the channel is closed between it and us; the
   * other may not be done with it, and still speak of the old one.
   */
  readonly shown: number;
  /** Where a terminal was asked for: whether it shows what is typed. */
  echo: EchoWatch | undefined;
  /** Where it is a forward: whether it carries SSH. */
  readonly inner: InnerSsh | undefined;
  /** Where it carries the file transfer protocol. */
  sftp: SftpChannel | undefined;
  /** Where what it shows is masked. */
  output: OutputMasker | undefined;
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
  /** What was asked in it is refused, and we have closed it towards the target: nothing more of the client's goes on. */
  refused: boolean;
  /** We have closed it towards the client, too: nothing more of the target's goes on either. */
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

/** A session's channels, by the numbers that the two sides know. */
export class Channels {
  /** Client's numbers that are in use. */
  readonly #byClient = new Map<number, Channel>();
  /** By what the client calls the target's number, and by what the target calls the client's. */
  readonly #toTarget = new Map<number, Channel>();
  readonly #toClient = new Map<number, Channel>();
  #shown = 0;

  /** Undefined where there are too many, or the number is in use. */
  open(openedBy: Side, number: number, kind: string): Channel | undefined {
    if (openedBy === "client" && this.#byClient.has(number)) return undefined;
    if (Math.max(this.#byClient.size, this.#toClient.size, this.#toTarget.size) >= MAX_CHANNELS) return undefined;
    const channel: Channel = {
      kind,
      openedBy,
      client: -1,
      target: -1,
      shown: this.#shown,
      echo: undefined,
      inner: FORWARDS.has(kind) ? new InnerSsh() : undefined,
      sftp: undefined,
      output: undefined,
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
    this.#shown = (this.#shown + 1) % 2 ** 30;
    channel[openedBy] = number;
    if (openedBy === "client") {
      this.#byClient.set(number, channel);
      this.#toClient.set(channel.shown, channel);
    } else this.#toTarget.set(channel.shown, channel);
    return channel;
  }

  /** The channel that was opened by the one side is known to the other by this number. */
  confirm(channel: Channel, number: number): boolean {
    if (channel.openedBy === "client") {
      channel.target = number;
      this.#toTarget.set(channel.shown, channel);
      return true;
    }
    if (this.#byClient.has(number)) return false;
    channel.client = number;
    this.#byClient.set(number, channel);
    this.#toClient.set(channel.shown, channel);
    return true;
  }

  /** What a message to this side calls by this number. */
  named(to: Side, number: number): Channel | undefined {
    return (to === "target" ? this.#toTarget : this.#toClient).get(number);
  }

  /** Notes that a side has closed it, or that it was never opened there. */
  closed(channel: Channel, by: Side): void {
    if (by === "client") channel.closedByClient = true;
    else channel.closedByTarget = true;
    this.settle(channel);
  }

  /** Forgets it towards each side that is done with it. */
  settle(channel: Channel): void {
    const { closedByClient, closedByTarget, refused, silenced, client, shown } = channel;
    if (closedByClient && (closedByTarget || silenced)) {
      if (this.#byClient.get(client) === channel) this.#byClient.delete(client);
      this.#toTarget.delete(shown);
    }
    if (closedByTarget && (closedByClient || refused)) this.#toClient.delete(shown);
  }
}
