import type { SessionEvent } from "../../core/recording/events.ts";
import { FLAG_REDACTED, FLAG_WITHHELD } from "../../core/recording/frame.ts";
import { MAX_TEXT_BYTES } from "../../core/ssh/connection-reader.ts";
import type { FieldReader } from "../../core/ssh/field-reader.ts";
import type { PrefixedMessage } from "../../core/ssh/prefixed-reader.ts";
import { namesSecretVariable } from "../secret-names.ts";
import { type Awaited, type Channel, nameOf } from "./channel.ts";
import { isOurs } from "./channels.ts";
import { type CommandRun, endedEvent, newCommandRun, startedEvent } from "./command-run.ts";
import { lineWithin, MAX_EXEC_BYTES } from "./guarded/wrapper.ts";
import { ScpTap } from "./scp-tap.ts";
import { SftpTap } from "./sftp-tap.ts";
import { MAX_MESSAGE_BYTES, type Tap, type TapSink } from "./tap.ts";

/** Requests of one channel that wait for their answer: many times what a shell takes. */
const MAX_AWAITED = 256;
const MAX_NAME_BYTES = 256;
const MAX_VALUE_BYTES = 4 << 10;

/** The commands of a session, each in a channel of its own, and what the client asks of them. */
export class Commands {
  readonly #emit: (event: SessionEvent, micros: number) => void;
  #asked = 0;

  constructor(emit: (event: SessionEvent, micros: number) => void) {
    this.#emit = emit;
  }

  /** Commands asked for so far. */
  get asked(): number {
    return this.#asked;
  }

  /** CHANNEL_REQUEST of the client's, from its name on (RFC 4254 §6). */
  requested(channel: Channel, fields: FieldReader, message: PrefixedMessage): void {
    const name = nameOf(fields);
    const wantsReply = fields.boolean();
    const awaited = this.#request(channel, name, fields, message);
    if (wantsReply && !channel.isBlind) this.#await(channel, awaited, message.micros);
    else if (awaited?.kind === "command" && awaited.run !== channel.run) this.#end(channel, awaited.run, undefined, false, message.micros); // prettier-ignore
  }

  /** CHANNEL_REQUEST of the target's: how its command ended (§6.10). */
  told(channel: Channel, fields: FieldReader): void {
    const name = nameOf(fields);
    fields.boolean();
    const { run } = channel;
    if (run === undefined) return;
    if (name === "exit-status") run.exit = { status: fields.uint32() };
    if (name !== "exit-signal") return;
    const signal = fields.string(MAX_NAME_BYTES).text;
    const coreDumped = fields.boolean();
    const { text } = fields.string(MAX_MESSAGE_BYTES);
    run.exit = { signal, coreDumped, ...(text === "" ? {} : { message: text }) };
  }

  /** CHANNEL_SUCCESS or CHANNEL_FAILURE of the target's. */
  answered(channel: Channel, success: boolean, micros: number): void {
    const [head] = channel.awaited;
    if (head === undefined) return;
    if (head.kind !== "others" || --head.count === 0) channel.awaited.shift();
    if (head.kind === "terminal" && !success) {
      channel.terminal = undefined;
      if (channel.run !== undefined) channel.run.terminal = undefined;
    }
    if (head.kind !== "command") return;
    // A channel has one command (§6.5): another becomes it only where the first was not started.
    if (success && channel.run === undefined) channel.run = head.run;
    if (success && channel.run === head.run) return;
    if (channel.run === head.run) channel.run = undefined;
    this.#end(channel, head.run, micros, !success, micros);
  }

  /** What the target sends on the channel, or says of it, stands at this place of the stream. */
  shown({ run }: Channel, { from, to }: PrefixedMessage): void {
    if (run === undefined) return;
    if (run.from < 0) run.from = from;
    run.to = to;
  }

  /** The channel is closed to the client. @param ended when, undefined where nobody said so */
  closed(channel: Channel, ended: number | undefined, micros: number): void {
    const { run, awaited } = channel;
    channel.run = undefined;
    if (run !== undefined) this.#end(channel, run, ended, false, micros);
    for (const one of awaited)
      if (one.kind === "command" && one.run !== run) this.#end(channel, one.run, undefined, false, micros);
    awaited.length = 0;
  }

  #end(channel: Channel, run: CommandRun, ended: number | undefined, failed: boolean, micros: number): void {
    run.tap?.finish(micros);
    run.tap = undefined;
    this.#emit(endedEvent(run, channel, ended, failed), micros);
  }

  #await(channel: Channel, awaited: Awaited | undefined, micros: number): void {
    const last = channel.awaited.at(-1);
    if (awaited === undefined && last?.kind === "others") last.count++;
    else if (channel.awaited.length < MAX_AWAITED) channel.awaited.push(awaited ?? { kind: "others", count: 1 });
    else {
      channel.isBlind = true;
      for (const one of [...channel.awaited, awaited])
        if (one?.kind === "command" && one.run !== channel.run) this.#end(channel, one.run, undefined, false, micros);
      channel.awaited.length = 0;
      const message = "the client is too many requests ahead of the target: their outcomes are no longer known";
      this.#emit({ type: "not-followed", channel: channel.number, message }, micros);
    }
  }

  #request(channel: Channel, name: string, fields: FieldReader, message: PrefixedMessage): Awaited | undefined {
    const refused = (message.flags & FLAG_WITHHELD) !== 0;
    switch (name) {
      case "shell":
      case "exec":
      case "subsystem":
        return this.#command(channel, name, fields, message);
      case "pty-req": {
        const term = fields.string(MAX_NAME_BYTES).text;
        if (!refused) channel.terminal = { term, columns: fields.uint32(), rows: fields.uint32() };
        return { kind: "terminal" };
      }
      case "window-change": {
        const size = { columns: fields.uint32(), rows: fields.uint32() };
        if (!refused) this.#emit({ type: "window-changed", channel: channel.number, ...size }, message.micros);
        return undefined;
      }
      case "env":
        this.#variable(channel, fields, message);
        return undefined;
      case "signal": {
        const signal = fields.string(MAX_NAME_BYTES).text;
        this.#emit(
          { type: "signal", channel: channel.number, signal, ...(refused ? { refused } : {}) },
          message.micros,
        );
        return undefined;
      }
      default:
        return undefined;
    }
  }

  #command(channel: Channel, via: CommandRun["via"], fields: FieldReader, message: PrefixedMessage): Awaited {
    const ours = via === "exec" && isOurs(channel.numbers.client ?? 0);
    const sent = via === "shell" ? { text: "" } : fields.string(ours ? MAX_EXEC_BYTES : MAX_TEXT_BYTES);
    const line = ours ? lineWithin(sent.text) : undefined;
    const text = line === undefined ? sent : { text: line };
    const about = { terminal: channel.terminal, guarded: line !== undefined };
    const run = newCommandRun(++this.#asked, via, text, about, message);
    this.#emit(startedEvent(run, channel.number), message.micros);
    if (!run.refused) run.tap = this.#tapFor(run, channel.number);
    channel.run ??= run;
    return { kind: "command", run };
  }

  #tapFor({ program }: CommandRun, channel: number): Tap | undefined {
    const sink: TapSink = {
      file: (event, micros) => this.#emit({ type: "file", channel, ...event }, micros),
      lost: (message, micros) => this.#emit({ type: "not-followed", channel, message }, micros),
    };
    if (program?.name === "sftp") return new SftpTap(sink);
    return program?.name === "scp" ? new ScpTap(sink, program.direction === "from-target") : undefined;
  }

  #variable(channel: Channel, fields: FieldReader, { flags, micros }: PrefixedMessage): void {
    const name = fields.string(MAX_NAME_BYTES).text;
    const value = fields.string(MAX_VALUE_BYTES);
    const secret = namesSecretVariable(name);
    this.#emit(
      {
        type: "environment",
        channel: channel.number,
        name,
        ...(secret ? { value: "[redacted]" } : { value: value.text, ...(value.bytes === undefined ? {} : { bytes: value.bytes }) }), // prettier-ignore
        ...(secret || (flags & FLAG_REDACTED) !== 0 ? { redacted: true } : {}),
        ...((flags & FLAG_WITHHELD) !== 0 ? { refused: true } : {}),
      },
      micros,
    );
  }
}
