import { askedBy, HARMLESS_REQUESTS, sizeIn, withoutSecrets } from "./channel-requests.ts";
import type { Channel, Channels } from "./channels.ts";
import { EchoWatch } from "./echo-watch.ts";
import type { Asked } from "./gate.ts";
import type { GivenRequests } from "./guarded/given-requests.ts";
import { GuardedShell } from "./guarded/guarded-shell.ts";
import { LineKeeper } from "./lines/line-keeper.ts";
import { isText } from "./masking/is-text.ts";
import { OutputMasker } from "./masking/output-masker.ts";
import type { SessionMasks } from "./masking/session-masks.ts";
import { DATA_AT, MESSAGE, MessageFields } from "./messages.ts";
import type { Passage } from "./passage.ts";
import type { Refusal } from "./refusal.ts";
import { SftpChannel } from "./sftp-channel.ts";

/** What starting something in a channel needs of its traffic. */
interface Traffic {
  /** Judges what was asked in a channel, which waits where that takes consent. */
  readonly ask: (channel: Channel, asked: Asked, go: () => void, refuse: (refusal: Refusal) => void) => void;
  /** Ends a channel in place of what was asked in it. */
  readonly refuse: (channel: Channel, request: Buffer, wantReply: boolean, refusal: Refusal) => void;
  readonly tell: (channel: Channel, text: string) => void;
  /** Goes on with what waited in a channel. */
  readonly release: (channel: Channel) => void;
}

/** Requests of a session's channel (RFC 4254 §6): what is started in it, and what follows it from then on. */
export class ChannelStarter {
  readonly #passage: Passage;
  readonly #channels: Channels;
  readonly #masks: SessionMasks | undefined;
  readonly #guarded: string | undefined;
  readonly #traffic: Traffic;
  /** Of the channels whose output is masked. */
  readonly #outputs = new Set<OutputMasker>();

  constructor(
    passage: Passage,
    channels: Channels,
    masks: SessionMasks | undefined,
    guarded: string | undefined,
    traffic: Traffic,
  ) {
    this.#passage = passage;
    this.#channels = channels;
    this.#masks = masks;
    this.#guarded = guarded;
    this.#traffic = traffic;
  }

  /** The target sends nothing more: what is held of its output goes on. */
  targetEnded(): void {
    for (const output of this.#outputs) output.end();
  }

  /** The target shows nothing more in a channel. */
  shown({ output }: Channel): void {
    if (output !== undefined) this.#outputs.delete(output);
  }

  /** Takes a CHANNEL_REQUEST of the client's. */
  take(channel: Channel, bytes: Buffer): void {
    const fields = new MessageFields(bytes, DATA_AT - 4);
    const name = fields.text();
    const wantReply = fields.boolean();
    const go = (request: Buffer): void => {
      if (wantReply) channel.replies.passedOn();
      this.#passage.passIn(channel, request, withoutSecrets(name, request));
    };
    channel.given?.take(name, bytes.subarray(fields.at));
    if (HARMLESS_REQUESTS.has(name)) {
      if (name === "pty-req") channel.echo = new EchoWatch();
      channel.terminal = sizeIn(name, fields) ?? channel.terminal;
      if (name === "window-change" && channel.terminal !== undefined) channel.lines?.resize(channel.terminal);
      return go(bytes);
    }
    const request = Buffer.from(bytes);
    const fail = (): void => {
      this.#passage.withhold(request, withoutSecrets(name, request));
      if (wantReply) channel.replies.ours(() => this.#passage.say(MESSAGE.channelFailure, channel.client));
    };
    const asked = askedBy(name, fields);
    if (asked === undefined) return fail();
    if (asked.kind === "agent" || asked.kind === "x11") {
      const granted = (): void => {
        this.#passage.expected.add(asked.kind === "agent" ? "auth-agent@openssh.com" : "x11");
        go(request);
      };
      return this.#traffic.ask(channel, asked, granted, fail);
    }
    const granted = (): void => {
      // Each thing that is done by it is judged by itself.
      if (asked.kind === "subsystem" && asked.name === "sftp") channel.sftp = this.#sftp(channel);
      if (isText(asked)) channel.output ??= this.#masked(channel);
      if (asked.kind === "shell" && channel.given !== undefined)
        return this.#guard(channel, channel.given, request, wantReply);
      if (asked.kind === "shell") channel.lines = this.#lines(channel);
      go(request);
    };
    this.#traffic.ask(channel, asked, granted, (refusal) => this.#traffic.refuse(channel, request, wantReply, refusal));
  }

  #masked({ echo }: Channel): OutputMasker | undefined {
    if (this.#masks === undefined) return undefined;
    const { toClient, fail } = this.#passage;
    const pass = (bytes: Buffer, recorded?: Buffer): void => toClient.pass(bytes, recorded);
    const output = new OutputMasker(this.#masks, echo !== undefined, pass, fail);
    this.#outputs.add(output);
    return output;
  }

  /** The shell is ours: at the target, nothing is asked in its channel. */
  #guard(channel: Channel, given: GivenRequests, request: Buffer, wantReply: boolean): void {
    this.#passage.asked(request);
    channel.credit = 0;
    const shell = new GuardedShell(this.#passage, this.#channels, channel, given, this.#guarded ?? "");
    channel.shell = shell;
    channel.replies.ours(() => {
      if (wantReply) this.#passage.say(MESSAGE.channelSuccess, channel.client);
      shell.start();
    });
  }

  #sftp(channel: Channel): SftpChannel {
    const ask = (asked: Asked, go: () => void, refuse: (refusal: Refusal) => void): void =>
      this.#traffic.ask(channel, asked, go, refuse);
    return new SftpChannel(this.#passage, channel, ask);
  }

  /** Undefined where there is nothing to judge by, or no terminal: a shell without one shows nothing that could be followed. */
  #lines(channel: Channel): LineKeeper | undefined {
    if (channel.terminal === undefined || !this.#passage.judges) return undefined;
    return new LineKeeper(this.#passage, channel, channel.terminal, {
      ask: (asked, go, refuse) => this.#traffic.ask(channel, asked, go, refuse),
      tell: (text) => this.#traffic.tell(channel, text),
      release: () => this.#traffic.release(channel),
      masked: (typed) => this.#masks?.typed(typed) ?? typed,
    });
  }
}
