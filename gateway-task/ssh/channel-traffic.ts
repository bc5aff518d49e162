import { SallyportError } from "../../core/errors.ts";
import type { Side } from "../recorder/permit.ts";
import { askedBy, HARMLESS_REQUESTS, sizeIn, withoutSecrets } from "./channel-requests.ts";
import type { Channel, Channels } from "./channels.ts";
import { EchoWatch } from "./echo-watch.ts";
import type { Asked } from "./gate.ts";
import { LineKeeper } from "./lines/line-keeper.ts";
import { clampPacketSize, DATA_AT, MESSAGE, MessageFields } from "./messages.ts";
import type { Passage } from "./passage.ts";
import { notice, type Refusal, refusedCommand } from "./refusal.ts";
import { answerOf } from "./replies.ts";
import { SftpChannel } from "./sftp-channel.ts";

/** What waits behind a decision in one channel: the window that OpenSSH's server gives, and a little. */
const MAX_BACKLOG = 4 << 20;
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

  constructor(passage: Passage, channels: Channels) {
    this.#passage = passage;
    this.#channels = channels;
  }

  /** Takes a message; its bytes can be used again afterwards. */
  take(bytes: Buffer, from: Side): void {
    const type = bytes[0] as number;
    if (type < MESSAGE.channelOpen || type > MESSAGE.channelFailure)
      throw new SallyportError("protocol-violation", `the ${from} sent a message that is unknown here (${type})`);
    const channel = this.#channels.named(from === "client" ? "target" : "client", bytes.readUInt32BE(1));
    if (channel === undefined) return; // both have closed it
    if (from === "target") this.#targetSays(channel, type, bytes);
    else if (channel.refused) this.#swallowed(channel, type, bytes);
    else if (channel.backlog !== undefined) this.#keep(channel, bytes);
    else this.#clientSays(channel, type, bytes);
  }

  #clientSays(channel: Channel, type: number, bytes: Buffer): void {
    if (this.#isInnerSsh(channel, type, bytes, "client")) return this.#cut(channel, bytes);
    switch (type) {
      case MESSAGE.channelWindowAdjust:
        return this.#adjust(channel, bytes);
      case MESSAGE.channelRequest:
        return this.#request(channel, bytes);
      case MESSAGE.channelData:
        return this.#data(channel, bytes);
    }
    this.#note(channel, type, bytes, "client");
    this.#passage.toTarget.pass(bytes);
  }

  #targetSays(channel: Channel, type: number, bytes: Buffer): void {
    if (channel.refused && type === MESSAGE.channelClose) channel.replies.abandon();
    if (channel.silenced) {
      if (type === MESSAGE.channelClose) this.#channels.closed(channel, "target");
      return;
    }
    if (this.#isInnerSsh(channel, type, bytes, "target")) return this.#cut(channel);
    this.#note(channel, type, bytes, "target");
    if (channel.credit > 0) return this.#settleCredit(channel, type, bytes);
    const pass = (): void => this.#passage.toClient.pass(bytes);
    if (type === MESSAGE.channelSuccess || type === MESSAGE.channelFailure)
      return answerOf("target", channel.replies, pass);
    pass();
    if (type !== MESSAGE.channelData) return;
    const data = bytes.subarray(DATA_AT);
    channel.echo?.shown(data);
    channel.lines?.shown(data);
    channel.sftp?.answered(data);
  }

  #isInnerSsh({ inner }: Channel, type: number, bytes: Buffer, from: Side): boolean {
    return inner !== undefined && type === MESSAGE.channelData && inner.carries(bytes.subarray(DATA_AT), from);
  }

  /** Ends a forward in which a session would pass unseen. The target hears of it when the client has closed it, too. */
  #cut(channel: Channel, asked?: Buffer): void {
    if (asked !== undefined) this.#passage.withhold(asked);
    channel.refused = true;
    this.#passage.record({ type: "verdict", about: "command", kind: "block", ...INNER_SSH });
    this.#passage.say("client", MESSAGE.channelEof, channel.client);
    this.#passage.say("client", MESSAGE.channelClose, channel.client);
    this.#channels.silence(channel);
  }

  /** The target gives a window of its own, of which the client has some already; or it will give none. */
  #settleCredit(channel: Channel, type: number, bytes: Buffer): void {
    const adjusts = type === MESSAGE.channelWindowAdjust;
    const granted = adjusts ? bytes.readUInt32BE(5) : 0;
    const known = Math.min(channel.credit, granted);
    channel.credit -= known;
    if (type === MESSAGE.channelFailure || type === MESSAGE.channelClose) channel.credit = 0;
    if (granted > known) this.#passage.say("client", MESSAGE.channelWindowAdjust, channel.client, granted - known);
    else if (type === MESSAGE.channelSuccess || type === MESSAGE.channelFailure)
      answerOf("target", channel.replies, () => this.#passage.toClient.pass(bytes));
    else if (!adjusts) this.#passage.toClient.pass(bytes);
    if (channel.credit === 0 && channel.giveUp === undefined) this.#release(channel);
  }

  /** Takes note of what a message changes of a channel. */
  #note(channel: Channel, type: number, bytes: Buffer, from: Side): void {
    switch (type) {
      case MESSAGE.channelOpenConfirmation:
        clampPacketSize(bytes, 13);
        if (this.#channels.confirm(channel, bytes.readUInt32BE(5))) return;
        throw new SallyportError("protocol-violation", "a channel's number is in use");
      case MESSAGE.channelOpenFailure:
        this.#channels.closed(channel, "client");
        this.#channels.closed(channel, "target");
        return;
      case MESSAGE.channelClose:
        this.#channels.closed(channel, from);
    }
  }

  /** The target must not send what the client's window no longer has room for, because of texts of ours. */
  #adjust(channel: Channel, bytes: Buffer): void {
    const granted = bytes.readUInt32BE(5);
    const kept = Math.min(channel.debt, granted);
    channel.debt -= kept;
    if (kept === 0) this.#passage.toTarget.pass(bytes);
    else if (kept < granted) this.#passage.say("target", MESSAGE.channelWindowAdjust, channel.target, granted - kept);
  }

  #data(channel: Channel, bytes: Buffer): void {
    const { echo, sftp, lines } = channel;
    if (sftp !== undefined) return sftp.take(bytes);
    if (lines !== undefined) return lines.take(bytes);
    if (echo === undefined) return this.#passage.toTarget.pass(bytes);
    const data = bytes.subarray(DATA_AT);
    const stored = echo.typed(data);
    const recorded = stored === data ? bytes : Buffer.concat([bytes.subarray(0, DATA_AT), stored]);
    this.#passage.toTarget.pass(bytes, recorded);
  }

  #request(channel: Channel, bytes: Buffer): void {
    const fields = new MessageFields(bytes, DATA_AT - 4);
    const name = fields.text();
    const wantReply = fields.boolean();
    const go = (request: Buffer): void => {
      if (wantReply) channel.replies.passedOn();
      this.#passage.toTarget.pass(request, withoutSecrets(name, request));
    };
    if (HARMLESS_REQUESTS.has(name)) {
      if (name === "pty-req") channel.echo = new EchoWatch();
      channel.terminal = sizeIn(name, fields) ?? channel.terminal;
      if (name === "window-change" && channel.terminal !== undefined) channel.lines?.resize(channel.terminal);
      return go(bytes);
    }
    const request = Buffer.from(bytes);
    const fail = (): void => {
      this.#passage.withhold(request, withoutSecrets(name, request));
      if (wantReply) channel.replies.ours(() => this.#passage.say("client", MESSAGE.channelFailure, channel.client));
    };
    const asked = askedBy(name, fields);
    if (asked === undefined) return fail();
    if (asked.kind === "agent" || asked.kind === "x11") {
      const granted = (): void => {
        this.#passage.expected.add(asked.kind === "agent" ? "auth-agent@openssh.com" : "x11");
        go(request);
      };
      return this.#ask(channel, asked, granted, fail);
    }
    const granted = (): void => {
      // Each thing that is done by it is judged by itself.
      if (asked.kind === "subsystem" && asked.name === "sftp") channel.sftp = this.#sftp(channel);
      if (asked.kind === "shell") channel.lines = this.#lines(channel);
      go(request);
    };
    this.#ask(channel, asked, granted, (refusal) => this.#refuse(channel, request, wantReply, refusal));
  }

  #sftp(channel: Channel): SftpChannel {
    const ask = (asked: Asked, go: () => void, refuse: (refusal: Refusal) => void): void =>
      this.#ask(channel, asked, go, refuse);
    return new SftpChannel(this.#passage, channel, ask);
  }

  /** Undefined where there is nothing to judge by, or no terminal: a shell without one shows nothing that could be followed. */
  #lines(channel: Channel): LineKeeper | undefined {
    if (channel.terminal === undefined || !this.#passage.judges) return undefined;
    return new LineKeeper(this.#passage, channel, channel.terminal, {
      ask: (asked, go, refuse) => this.#ask(channel, asked, go, refuse),
      tell: (text) => this.#tell(channel, text),
      release: () => this.#release(channel),
    });
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
    this.#passage.say("client", MESSAGE.channelWindowAdjust, channel.client, KEYS);
  }

  /** A message of a channel in which something waits. */
  #keep(channel: Channel, bytes: Buffer): void {
    const { backlog, echo } = channel;
    if (backlog === undefined) return;
    const type = bytes[0];
    const interrupts = type === MESSAGE.channelData && echo !== undefined && bytes.includes(CTRL_C, DATA_AT);
    if (interrupts || type === MESSAGE.channelClose) channel.giveUp?.();
    backlog.messages.push(Buffer.from(bytes));
    backlog.bytes += bytes.length;
    if (backlog.bytes > MAX_BACKLOG)
      throw new SallyportError("limit-exceeded", "the client sent too much behind something that is held");
  }

  /** Goes on with what waited, up to where something of it waits again. */
  #release(channel: Channel): void {
    const messages = channel.backlog?.messages ?? [];
    channel.backlog = channel.giveUp = undefined;
    channel.sftp?.resume();
    for (let next = messages.shift(); next !== undefined; next = messages.shift()) {
      const type = next[0] as number;
      if (channel.backlog !== undefined) this.#keep(channel, next);
      else if (channel.refused) this.#swallowed(channel, type, next);
      else this.#clientSays(channel, type, next);
    }
  }

  /** In place of a command: why not, on the client's standard error, and the status of what could not be run. */
  #refuse(channel: Channel, request: Buffer, wantReply: boolean, refusal: Refusal): void {
    this.#passage.withhold(request, withoutSecrets("exec", request));
    channel.refused = true;
    channel.replies.ours(() => {
      const at = { wantReply, terminal: channel.echo !== undefined };
      for (const answer of refusedCommand(channel.client, at, refusal)) this.#passage.toClient.pass(answer);
      this.#channels.silence(channel);
    });
  }

  /**
   * Nothing that the client says of a refused channel goes on but that it closes it: its number at the target is free only
   * when the client no longer uses it.
   */
  #swallowed(channel: Channel, type: number, bytes: Buffer): void {
    if (type !== MESSAGE.channelClose) return;
    this.#channels.closed(channel, "client");
    this.#passage.toTarget.pass(bytes);
  }

  #tell(channel: Channel, text: string): void {
    // Behind a line that is being typed, it begins a new one.
    const told = notice(channel.client, channel.echo !== undefined, text, channel.lines !== undefined);
    channel.debt += told.bytes;
    channel.lines?.shown(told.message.subarray(DATA_AT));
    this.#passage.toClient.pass(told.message);
  }
}
