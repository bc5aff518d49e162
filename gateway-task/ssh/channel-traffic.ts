import { SallyportError } from "../../core/errors.ts";
import type { Side } from "../recorder/permit.ts";
import { withoutSecrets } from "./channel-requests.ts";
import { ChannelStarter } from "./channel-starter.ts";
import type { Channel, Channels } from "./channels.ts";
import type { Asked } from "./gate.ts";
import type { Jump } from "./jump.ts";
import type { SessionMasks } from "./masking/session-masks.ts";
import { DATA_AT, MESSAGE } from "./messages.ts";
import type { Passage } from "./passage.ts";
import { notice, type Refusal, refusedCommand } from "./refusal.ts";
import { answerOf } from "./replies.ts";
import { FOR_THE_CLIENT } from "./guarded/guarded-shell.ts";
import type { LineChannel } from "./guarded/line-channel.ts";

/** What waits behind a decision in one channel: the window that OpenSSH's server gives, and a little. */
const MAX_BACKLOG = 4 << 20;
/** What a message weighs there beside its bytes: as many of the smallest must be as few. */
const KEPT_BYTES = 128;
const CTRL_C = 3;
/** What a terminal may send while its command is held: OpenSSH's server gives no window before a command runs, and Ctrl-C needs some. */
const KEYS = 256;

/** Id under which the gateway itself refuses, whatever the policies say. */
const INNER_SSH = {
  policies: ["gateway:inner-ssh"],
  policyVersion: "",
  reason: "a forward that carries SSH would not be recorded for what it is: connect to that host through the gateway",
};

/** The messages of a session's channels (RFC 4254 §5, §6), in both directions. */
export class ChannelTraffic {
  readonly #passage: Passage;
  readonly #channels: Channels;
  readonly #masks: SessionMasks | undefined;
  readonly #starter: ChannelStarter;

  /**
   * @param masks undefined: nothing is masked
   * @param guarded the connection's name, where its shells are guarded
   */
  constructor(passage: Passage, channels: Channels, masks: SessionMasks | undefined, guarded: string | undefined) {
    this.#passage = passage;
    this.#channels = channels;
    this.#masks = masks;
    this.#starter = new ChannelStarter(passage, channels, masks, guarded, {
      ask: (...question) => this.#ask(...question),
      refuse: (...refused) => this.#refuse(...refused),
      tell: (channel, text) => this.#tell(channel, text),
      release: (channel) => this.#release(channel),
    });
  }

  /** The target sends nothing more: what is held of its output goes on. */
  targetEnded(): void {
    this.#starter.targetEnded();
  }

  /** Takes a message; its bytes can be used again afterwards. */
  take(bytes: Buffer, from: Side): void {
    const type = bytes[0] as number;
    if (type < MESSAGE.channelOpen || type > MESSAGE.channelFailure)
      throw new SallyportError("protocol-violation", `the ${from} sent a message that is unknown here (${type})`);
    const channel = this.#channels.named(from === "client" ? "target" : "client", bytes.readUInt32BE(1));
    if (channel === undefined) return; // both have closed it
    if (channel.line !== undefined) return this.#lineSays(channel.line, type, bytes, from);
    if (channel.jump !== undefined) return this.#jumpSays(channel.jump, type, bytes, from);
    if (from === "target") this.#targetSays(channel, type, bytes);
    else if (channel.refused) this.#swallowed(channel, type);
    else if (channel.backlog !== undefined) this.#keep(channel, bytes);
    else this.#clientSays(channel, type, bytes);
  }

  /** A channel of ours is the client's in no way. */
  #lineSays(line: LineChannel, type: number, bytes: Buffer, from: Side): void {
    if (from === "client")
      throw new SallyportError("protocol-violation", "the client spoke in a channel of the gateway's");
    line.message(type, bytes);
  }

  /** A channel that ends here is the target's in no way. */
  #jumpSays(jump: Jump, type: number, bytes: Buffer, from: Side): void {
    if (from === "target")
      throw new SallyportError("protocol-violation", "the target spoke in a channel that does not lead to it");
    jump.message(type, bytes);
  }

  #clientSays(channel: Channel, type: number, bytes: Buffer): void {
    if (this.#isInnerSsh(channel, type, bytes, "client")) return this.#cut(channel, bytes);
    if (channel.shell !== undefined && type !== MESSAGE.channelClose) return channel.shell.message(type, bytes);
    switch (type) {
      case MESSAGE.channelWindowAdjust:
        return this.#adjust(channel, bytes);
      case MESSAGE.channelRequest:
        return this.#starter.take(channel, bytes);
      case MESSAGE.channelData:
        return this.#data(channel, bytes);
    }
    this.#note(channel, type, bytes, "client");
    this.#passage.passIn(channel, bytes);
  }

  #targetSays(channel: Channel, type: number, bytes: Buffer): void {
    if (channel.refused && type === MESSAGE.channelClose) channel.replies.abandon();
    if (channel.silenced) {
      if (type === MESSAGE.channelClose) this.#channels.closed(channel, "target");
      return;
    }
    bytes.writeUInt32BE(channel.client, 1);
    if (this.#isInnerSsh(channel, type, bytes, "target")) return this.#cut(channel);
    this.#note(channel, type, bytes, "target");
    if (channel.shell !== undefined && !FOR_THE_CLIENT.has(type)) return;
    if (channel.credit > 0) return this.#settleCredit(channel, type, bytes);
    if (type === MESSAGE.channelSuccess || type === MESSAGE.channelFailure)
      return answerOf("target", channel.replies, () => this.#passage.toClient.pass(bytes));
    this.#show(channel, type, bytes);
    if (type === MESSAGE.channelData) channel.sftp?.answered(bytes.subarray(DATA_AT));
  }

  /** What the target says in a channel, in order, and masked where that is to be. */
  #show({ output, echo, lines }: Channel, type: number, bytes: Buffer): void {
    if (type === MESSAGE.channelData) lines?.shown(bytes.subarray(DATA_AT));
    const isEcho = type === MESSAGE.channelData && echo?.shown(bytes.subarray(DATA_AT)) === true;
    if (output === undefined) this.#passage.toClient.pass(bytes);
    else output.take(bytes, isEcho);
  }

  #isInnerSsh({ inner }: Channel, type: number, bytes: Buffer, from: Side): boolean {
    return inner !== undefined && type === MESSAGE.channelData && inner.carries(bytes.subarray(DATA_AT), from);
  }

  /** Ends a forward in which a session would pass unseen. */
  #cut(channel: Channel, asked?: Buffer): void {
    if (asked !== undefined) this.#passage.withhold(asked);
    this.#refuseIn(channel);
    this.#passage.record({ type: "verdict", about: "command", kind: "block", ...INNER_SSH });
    this.#passage.say(MESSAGE.channelEof, channel.client);
    this.#silence(channel);
  }

  /** The target gives a window of its own, of which the client has some already; or it will give none. */
  #settleCredit(channel: Channel, type: number, bytes: Buffer): void {
    const adjusts = type === MESSAGE.channelWindowAdjust;
    const granted = adjusts ? bytes.readUInt32BE(5) : 0;
    const known = Math.min(channel.credit, granted);
    channel.credit -= known;
    if (type === MESSAGE.channelFailure || type === MESSAGE.channelClose) channel.credit = 0;
    if (granted > known) this.#passage.say(MESSAGE.channelWindowAdjust, channel.client, granted - known);
    else if (type === MESSAGE.channelSuccess || type === MESSAGE.channelFailure)
      answerOf("target", channel.replies, () => this.#passage.toClient.pass(bytes));
    else if (!adjusts) this.#show(channel, type, bytes);
    if (channel.credit === 0 && channel.giveUp === undefined) this.#release(channel);
  }

  /** Takes note of what a message changes of a channel. */
  #note(channel: Channel, type: number, bytes: Buffer, from: Side): void {
    switch (type) {
      case MESSAGE.channelOpenConfirmation:
        return this.#channels.confirmed(channel, bytes);
      case MESSAGE.channelOpenFailure:
        this.#channels.closed(channel, "client");
        this.#channels.closed(channel, "target");
        return;
      case MESSAGE.channelClose:
        channel.shell?.closed();
        this.#channels.closed(channel, from);
        if (from === "target") this.#starter.shown(channel);
    }
  }

  /** The target must not send what the client's window no longer has room for, because of texts of ours. */
  #adjust(channel: Channel, bytes: Buffer): void {
    const granted = bytes.readUInt32BE(5);
    channel.room.window += granted;
    const kept = Math.min(channel.debt, granted);
    channel.debt -= kept;
    if (kept === 0) this.#passage.passIn(channel, bytes);
    else if (kept < granted) this.#passage.sayIn(channel, MESSAGE.channelWindowAdjust, granted - kept);
  }

  #data(channel: Channel, bytes: Buffer): void {
    const { echo, sftp, lines } = channel;
    if (sftp !== undefined) return sftp.take(bytes);
    if (lines !== undefined) return lines.take(bytes);
    if (echo === undefined) return this.#passage.passIn(channel, bytes);
    const data = bytes.subarray(DATA_AT);
    const typed = echo.typed(data);
    const stored = this.#masks?.typed(typed) ?? typed;
    const recorded = stored === data ? bytes : Buffer.concat([bytes.subarray(0, DATA_AT), stored]);
    this.#passage.passIn(channel, bytes, recorded);
  }

  /** Judges what was asked in a channel, which waits where that takes consent. */
  #ask(channel: Channel, asked: Asked, go: () => void, refuse: (refusal: Refusal) => void): void {
    this.#passage.decide({
      asked,
      go,
      refuse,
      tell: (text) => this.#tell(channel, text),
      waits: (giveUp) => {
        channel.backlog ??= { messages: [], bytes: 0 };
        channel.giveUp = giveUp;
        if (channel.echo !== undefined && channel.lines === undefined && asked.kind !== "files")
          this.#giveKeys(channel);
      },
      waited: () => {
        channel.giveUp = undefined;
        if (channel.credit === 0 || channel.refused) this.#release(channel);
      },
    });
  }

  #giveKeys(channel: Channel): void {
    channel.credit += KEYS;
    this.#passage.say(MESSAGE.channelWindowAdjust, channel.client, KEYS);
  }

  /** A message of a channel in which something waits. */
  #keep(channel: Channel, bytes: Buffer): void {
    const { backlog, echo } = channel;
    if (backlog === undefined) return;
    const type = bytes[0];
    const interrupts = type === MESSAGE.channelData && echo !== undefined && bytes.includes(CTRL_C, DATA_AT);
    if (interrupts || type === MESSAGE.channelClose) channel.giveUp?.();
    backlog.messages.push(Buffer.from(bytes));
    backlog.bytes += bytes.length + KEPT_BYTES;
    if (backlog.bytes > MAX_BACKLOG)
      throw new SallyportError("limit-exceeded", "the client sent too much behind something that is held");
  }

  /** Goes on with what waited, up to where something of it waits again. */
  #release(channel: Channel): void {
    const messages = channel.backlog?.messages ?? [];
    channel.backlog = channel.giveUp = undefined;
    channel.sftp?.resume();
    for (const next of messages) {
      const type = next[0] as number;
      if (channel.backlog !== undefined) this.#keep(channel, next);
      else if (channel.refused) this.#swallowed(channel, type);
      else this.#clientSays(channel, type, next);
    }
  }

  /** In place of a command: why not, on the client's standard error, and the status of what could not be run. */
  #refuse(channel: Channel, request: Buffer, wantReply: boolean, refusal: Refusal): void {
    this.#passage.withhold(request, withoutSecrets("exec", request));
    this.#refuseIn(channel);
    channel.replies.ours(() => {
      const at = { wantReply, terminal: channel.echo !== undefined };
      for (const answer of refusedCommand(channel.client, at, refusal)) this.#passage.toClient.pass(answer);
      this.#silence(channel);
    });
  }

  /** Closes a channel towards the target. */
  #refuseIn(channel: Channel): void {
    channel.refused = true;
    this.#passage.sayIn(channel, MESSAGE.channelClose);
  }

  /** And towards the client. */
  #silence(channel: Channel): void {
    this.#passage.say(MESSAGE.channelClose, channel.client);
    channel.silenced = true;
    this.#channels.settle(channel);
  }

  /** Nothing that the client says of a refused channel goes on: we have closed it towards the target. */
  #swallowed(channel: Channel, type: number): void {
    if (type === MESSAGE.channelClose) this.#channels.closed(channel, "client");
  }

  #tell(channel: Channel, text: string): void {
    // Behind a line that is being typed, it begins a new one.
    const told = notice(channel.client, channel.echo !== undefined, text, channel.lines !== undefined);
    channel.debt += told.bytes;
    channel.room.window -= told.bytes;
    channel.lines?.shown(told.message.subarray(DATA_AT));
    this.#passage.toClient.pass(told.message);
  }
}
