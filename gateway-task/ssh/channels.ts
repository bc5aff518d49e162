import type { Side } from "../recorder/permit.ts";
import type { EchoWatch } from "./echo-watch.ts";
import type { GivenRequests } from "./guarded/given-requests.ts";
import type { GuardedShell } from "./guarded/guarded-shell.ts";
import type { LineChannel } from "./guarded/line-channel.ts";
import { InnerSsh } from "./inner-ssh.ts";
import type { Jump } from "./jump.ts";
import type { OutputMasker } from "./masking/output-masker.ts";
import { clampPacketSize } from "./messages.ts";
import { SallyportError } from "../../core/errors.ts";
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
  /** And how large it is. */
  terminal: TerminalSize | undefined;
  /** Where a shell runs on it, and there are policies: what is entered there line by line. */
  lines: LineKeeper | undefined;
  /** Where it is a forward: whether it carries SSH. */
  readonly inner: InnerSsh | undefined;
  /** Where it carries the file transfer protocol. */
  sftp: SftpChannel | undefined;
  /** Where what it shows is masked. */
  output: OutputMasker | undefined;
  /** What the client's channel can take from us, as far as we are its far end. */
  readonly room: { window: number; packet: number };
  /** Where a shell in it would be guarded: what was asked for it so far; and that shell, once it is there. */
  given: GivenRequests | undefined;
  shell: GuardedShell | undefined;
  /** Where it is one of ours: what runs in it. */
  line: LineChannel | undefined;
  /** Where it ends at the gateway. */
  jump: Jump | undefined;
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
/** From here on, the numbers on the client's side are for channels of our own: clients count from 0. */
const FIRST_OF_OURS = 0x4000_0000;
const LAST_OF_OURS = 0x7fff_ffff;

/** Whether a number that a client has chosen is for channels of our own. */
export function isOurs(number: number): boolean {
  return number >= FIRST_OF_OURS && number <= LAST_OF_OURS;
}

/** A session's channels, by the numbers that the two sides know. */
export class Channels {
  /** Client's numbers that are in use. */
  readonly #byClient = new Map<number, Channel>();
  /** By what the client calls the target's number, and by what the target calls the client's. */
  readonly #toTarget = new Map<number, Channel>();
  readonly #toClient = new Map<number, Channel>();
  #shown = 0;
  #next = FIRST_OF_OURS;

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
      terminal: undefined,
      lines: undefined,
      inner: FORWARDS.has(kind) ? new InnerSsh() : undefined,
      sftp: undefined,
      output: undefined,
      room: { window: 0, packet: 0 },
      given: undefined,
      shell: undefined,
      line: undefined,
      jump: undefined,
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

  /** A channel that we open at the target, as if the client did. Throws `limit-exceeded` where there are too many. */
  openOurs(line: LineChannel): Channel {
    const number = this.#next;
    this.#next = number === LAST_OF_OURS ? FIRST_OF_OURS : number + 1;
    const channel = this.open("client", number, "session");
    if (channel === undefined) throw new SallyportError("limit-exceeded", "the session has too many channels");
    channel.line = line;
    return channel;
  }

  /** Takes the confirmation of a channel; the target's then bears the number that the client knows. Throws `protocol-violation` where its number is in use. */
  confirmed(channel: Channel, confirmation: Buffer): void {
    clampPacketSize(confirmation, 13);
    if (this.#confirm(channel, confirmation.readUInt32BE(5))) {
      if (channel.openedBy === "client") confirmation.writeUInt32BE(channel.shown, 5);
      return;
    }
    throw new SallyportError("protocol-violation", "a channel's number is in use");
  }

  /** The channel that was opened by the one side is known to the other by this number. */
  #confirm(channel: Channel, number: number): boolean {
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

  /** It is closed towards both sides. */
  silence(channel: Channel): void {
    channel.refused = channel.silenced = true;
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
