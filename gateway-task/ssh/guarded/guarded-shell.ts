import { randomBytes } from "node:crypto";
import { SallyportError } from "../../../core/errors.ts";
import { withoutSecrets } from "../channel-requests.ts";
import type { Channel, Channels } from "../channels.ts";
import { DATA_AT, MESSAGE, message, MessageFields } from "../messages.ts";
import type { Passage } from "../passage.ts";
import type { Refusal } from "../refusal.ts";
import { ClientEnd } from "../client-end.ts";
import type { GivenRequests } from "./given-requests.ts";
import { KeptState, readLeft } from "./kept-state.ts";
import { LineChannel, type LineEnd } from "./line-channel.ts";
import { LineEditor } from "./line-editor.ts";
import type { Entered, LineInput } from "./line-input.ts";
import { OutputFilter } from "./output-filter.ts";
import { promptOf, WELCOME } from "./prompt.ts";
import { ScriptInput } from "./script-input.ts";
import { wrapLine } from "./wrapper.ts";

/** What was typed ahead: a client that keeps to its window sends far less. */
const MAX_AHEAD = 4 << 20;
const CTRL_C = 3;
const INTERRUPTED = 130;
const CANNOT_EXECUTE = 126;
const NOT_FOUND = 127;
/** A line that ends the shell, with a status perhaps. */
const EXIT = /^\s*(?:exit|logout)(?:\s+(\d{1,3}))?\s*;?\s*$/;
/** Tells where commands begin, and what they find. */
const NOTHING = Buffer.from(":");

/** What the target says in a channel whose shell is ours, and is for the client. */
export const FOR_THE_CLIENT: ReadonlySet<number> = new Set([
  MESSAGE.channelSuccess,
  MESSAGE.channelFailure,
  MESSAGE.channelClose,
]);

/**
 * The shell of a channel whose connection has `shell: guarded`. There is none at the target: each line is judged and runs by
 * itself, in a channel of its own, and the directory and variables that it leaves are set before the next.
 */
export class GuardedShell {
  readonly #passage: Passage;
  readonly #channels: Channels;
  readonly #channel: Channel;
  readonly #given: GivenRequests;
  readonly #name: string;
  readonly #client: ClientEnd;
  readonly #input: LineInput;
  readonly #kept = new KeptState();
  /** Of the client's, and not yet used. */
  #ahead = Buffer.alloc(0);
  #finished = false;
  #line: LineChannel | undefined;
  /** Gives up the line that is held. */
  #giveUp: (() => void) | undefined;
  /** Whether the next line may be read. */
  #asking = false;
  #reading = false;
  #status = 0;
  #ending = false;
  #over = false;

  constructor(passage: Passage, channels: Channels, channel: Channel, given: GivenRequests, name: string) {
    this.#passage = passage;
    this.#channels = channels;
    this.#channel = channel;
    this.#given = given;
    this.#name = name;
    this.#client = new ClientEnd(passage, channel);
    this.#input = given.terminal === undefined ? new ScriptInput() : new LineEditor(given.terminal);
  }

  start(): void {
    if (this.#hasTerminal) this.#say(WELCOME);
    this.#client.used(0);
    this.#run(NOTHING, (filter, end) => this.#began(filter, end));
  }

  /** Takes what the client says in its channel, but for that it closes it. */
  message(type: number, bytes: Buffer): void {
    if (type === MESSAGE.channelWindowAdjust) return this.#client.granted(bytes.readUInt32BE(5));
    if (this.#over || this.#ending) return;
    switch (type) {
      case MESSAGE.channelData:
        return this.#typed(bytes.subarray(DATA_AT));
      case MESSAGE.channelEof:
        this.#finished = true;
        return this.#read();
      case MESSAGE.channelRequest:
        return this.#request(bytes);
    }
  }

  /** The channel is closed. */
  closed(): void {
    this.#over = true;
    this.#client.abandon();
    this.#giveUp?.();
    this.#line?.close();
  }

  get #hasTerminal(): boolean {
    return this.#given.terminal !== undefined;
  }

  #request(bytes: Buffer): void {
    const fields = new MessageFields(bytes, DATA_AT - 4);
    const name = fields.text();
    const wantReply = fields.boolean();
    const known = name === "window-change" || name === "signal";
    if (known) {
      this.#passage.asked(bytes);
      const given = { name, fields: Buffer.from(bytes.subarray(fields.at)) } as const;
      this.#line?.give(given);
      this.#given.take(name, given.fields);
      const drawn = this.#input.resize(this.#given.terminal?.columns ?? 0);
      if (this.#asking) this.#show(drawn);
    } else this.#passage.withhold(Buffer.from(bytes));
    if (!wantReply) return;
    const answer = known ? MESSAGE.channelSuccess : MESSAGE.channelFailure;
    this.#channel.replies.ours(() => this.#passage.say(answer, this.#channel.client));
  }

  #typed(data: Buffer): void {
    // What comes before the first prompt is for the first line.
    const line = this.#kept.home === undefined ? undefined : this.#line;
    if (line !== undefined && this.#hasTerminal) return line.type(data);
    if (this.#giveUp !== undefined && this.#hasTerminal && data.includes(CTRL_C)) {
      this.#client.used(data.length + this.#ahead.length);
      this.#ahead = Buffer.alloc(0);
      return this.#giveUp();
    }
    this.#ahead = Buffer.concat([this.#ahead, data]);
    if (this.#ahead.length > MAX_AHEAD)
      throw new SallyportError("limit-exceeded", "the client sent more than its window has room for");
    this.#read();
  }

  /** Uses what the client has sent, up to where a line runs. */
  #read(): void {
    if (this.#reading) return;
    this.#reading = true;
    while (this.#asking && (this.#ahead.length > 0 || this.#finished)) {
      const entered = this.#ahead.length > 0 ? this.#take() : this.#input.finish();
      if (entered !== undefined) this.#entered(entered);
    }
    this.#reading = false;
  }

  #take(): Entered | undefined {
    const { bytes, entered, shown } = this.#input.take(this.#ahead);
    this.#ahead = this.#ahead.subarray(bytes);
    this.#client.used(bytes);
    this.#show(shown);
    return entered;
  }

  #entered(entered: Entered): void {
    this.#asking = false;
    if (entered.kind === "end") return this.#end(this.#status);
    if (entered.kind === "unfit") return this.#refused({ text: entered.why, status: CANNOT_EXECUTE });
    const { line } = entered;
    const text = line.toString("utf8");
    if (/^\s*(?:#[^\n]*)?$/.test(text)) return this.#ask();
    const exit = EXIT.exec(text);
    if (exit !== null) return this.#end(exit[1] === undefined ? this.#status : Number(exit[1]) & 0xff);
    this.#judge(line);
  }

  #judge(line: Buffer): void {
    const { directory } = this.#kept;
    this.#passage.decide({
      asked: { kind: "command", command: line, ...(directory === undefined ? {} : { directory }) },
      tell: (text) => this.#say(text),
      go: () => this.#run(line, (filter, end) => this.#ran(filter, end)),
      refuse: (refusal) => {
        this.#withhold(line);
        this.#refused(refusal);
      },
      waits: (giveUp) => {
        this.#giveUp = giveUp;
      },
      waited: () => {},
    });
  }

  /** It is recorded as a command that was asked for in the client's channel. */
  #withhold(line: Buffer): void {
    const request = message(MESSAGE.channelRequest, this.#channel.shown, "exec", false, line);
    this.#passage.withhold(request, withoutSecrets("exec", request));
  }

  /** Nothing of it reaches the target. */
  #refused({ text, status }: Refusal): void {
    this.#giveUp = undefined;
    if (this.#over) return;
    this.#say(text);
    this.#status = status;
    this.#ask();
  }

  #run(line: Buffer, ran: (filter: OutputFilter, end: LineEnd) => void): void {
    this.#giveUp = undefined;
    if (this.#over) return;
    const marker = [randomBytes(8).toString("hex"), randomBytes(8).toString("hex")] as const;
    const wrapped = wrapLine(line, this.#kept.found(this.#status), marker);
    if (wrapped === undefined)
      return this.#refused({
        text: "the line is longer than the target takes: it was not run",
        status: CANNOT_EXECUTE,
      });
    const filter = new OutputFilter(`${marker[1]}${marker[0]}`);
    // What is masked is stored as the client sees it, and in no other place.
    const storesOutput = this.#channel.output === undefined;
    const what = { line: wrapped, given: this.#given.forLine(), filter, storesOutput };
    const channel: LineChannel = new LineChannel(this.#passage, this.#channels, what, {
      shown: (bytes, error) => this.#client.write(bytes, error, (sent) => channel.sent(sent)),
      typed: (bytes) => this.#client.used(bytes),
      ended: (end) => {
        this.#ahead = Buffer.concat([channel.untyped, this.#ahead]);
        this.#line = undefined;
        if (!this.#over) ran(filter, end);
      },
    });
    this.#line = channel;
  }

  /** Without bash there is no guarded shell (invariant 2). */
  #began(filter: OutputFilter, end: LineEnd): void {
    if (this.#keep(filter) !== undefined) return this.#ask();
    this.#say(end.why ?? "a guarded shell needs bash 4.4 or newer at the target");
    this.#end(NOT_FOUND);
  }

  #ran(filter: OutputFilter, { status, why }: LineEnd): void {
    if (why !== undefined) this.#say(`the target runs nothing: ${why}`);
    this.#status = status ?? (why === undefined ? 255 : CANNOT_EXECUTE);
    const how = this.#keep(filter);
    if (how === "exits") this.#end(this.#status);
    else this.#ask(this.#status === INTERRUPTED ? "\r\n" : "");
  }

  #keep(filter: OutputFilter): "kept" | "exits" | "homeless" | undefined {
    const left = filter.told === undefined ? undefined : readLeft(filter.told);
    if (left === undefined || left.how === "exits") return left?.how;
    if (!this.#kept.leave(left)) this.#say("the variables are too many to be kept: those of this line are not");
    return left.how;
  }

  #ask(before = ""): void {
    if (this.#over) return;
    this.#asking = true;
    const { home, directory = home } = this.#kept;
    this.#show(`${this.#hasTerminal ? before : ""}${this.#input.ask(promptOf(this.#name, directory, home))}`);
    this.#read();
  }

  #say(text: string): void {
    const lines = `sallyport: ${text}\n`;
    if (this.#hasTerminal) this.#show(lines.replaceAll("\n", "\r\n"));
    else this.#client.write(Buffer.from(lines), true);
  }

  #show(text: string): void {
    this.#client.write(Buffer.from(text));
  }

  #end(status: number): void {
    this.#ending = true;
    this.#client.end(status, () => {
      this.#over = true;
      this.#passage.sayIn(this.#channel, MESSAGE.channelClose);
      this.#channels.silence(this.#channel);
    });
  }
}
