import type { Channel } from "../channels.ts";
import type { Asked } from "../gate.ts";
import { DATA_AT, MESSAGE, message } from "../messages.ts";
import type { Passage } from "../passage.ts";
import type { Refusal } from "../refusal.ts";
import { isWholeCommand } from "./line-facts.ts";
import { LineFollower } from "./line-follower.ts";
import type { TerminalSize } from "./terminal-model.ts";
import { mayEnter } from "./typed-line.ts";

/** What the channel that a shell runs in does for its lines. */
interface Surroundings {
  /** Judges something asked in this channel, which waits where that takes consent. */
  readonly ask: (asked: Asked, go: () => void, refuse: (refusal: Refusal) => void) => void;
  /** Tells the person at the terminal something. */
  readonly tell: (text: string) => void;
  /** Goes on with what waits behind a line. */
  readonly release: () => void;
  /** What is stored of what was typed, where values are masked. */
  readonly masked: (typed: Buffer) => Buffer;
}

const CTRL_C = "\x03";
/** Readline that is interrupted while it draws what was typed last may leave out its next prompt. */
const DRAWN_WITHIN_MS = 50;
/** A message may hold ten thousands of Enters: after so many all other sessions have their turn. */
const ENTERS_A_TURN = 32;
const OVERLONG: Refusal = {
  text: "what was pasted is too long to be judged: paste it in smaller parts, or copy it as a file",
  status: 126,
};

/**
 * Keeps an Enter back until the line that it would enter has been judged. Everything else that is typed goes on at once. What
 * comes behind a kept Enter waits in the channel's backlog.
 */
export class LineKeeper {
  readonly #passage: Passage;
  readonly #channel: Channel;
  readonly #surroundings: Surroundings;
  readonly #follower: LineFollower;
  #interrupting = false;
  #waiting: { readonly timer: NodeJS.Timeout; readonly rest: Buffer } | undefined;

  constructor(passage: Passage, channel: Channel, size: TerminalSize, surroundings: Surroundings) {
    this.#passage = passage;
    this.#channel = channel;
    this.#surroundings = surroundings;
    this.#follower = new LineFollower(size, isWholeCommand);
  }

  /** Takes a CHANNEL_DATA message of the client's. */
  take(bytes: Buffer): void {
    let rest = bytes.subarray(DATA_AT);
    if (!mayEnter(rest)) {
      // It need not wait until it has been followed.
      this.#pass(rest, bytes);
      if (!this.#follower.isBlind) this.#follower.take(rest, performance.now());
      return;
    }
    if (this.#follower.isBlind) return this.#pass(rest, bytes);
    for (let enters = 0; rest.length > 0; enters++) {
      const end = this.#follower.take(rest, performance.now());
      if (end > 0) this.#pass(rest.subarray(0, end));
      if (end === rest.length) return;
      rest = rest.subarray(end);
      const wait = this.#follower.wait(performance.now());
      if (wait > 0 || enters === ENTERS_A_TURN) return this.#wait(Buffer.from(rest), wait);
      if (!this.#enter(rest)) return;
      rest = rest.subarray(1);
    }
  }

  /** Follows what the terminal shows. */
  shown(data: Buffer): void {
    this.#follower.shown(data, performance.now());
    if (this.#waiting !== undefined) this.#look();
  }

  resize(size: TerminalSize): void {
    this.#follower.resize(size);
  }

  #wait(rest: Buffer, milliseconds: number): void {
    this.#channel.backlog ??= { messages: [], bytes: 0 };
    const timer = this.#passage.later(milliseconds, () => this.#look());
    this.#waiting = { timer, rest };
  }

  /** Whether what was typed can be seen by now. */
  #look(): void {
    if (this.#waiting === undefined) return;
    const { timer, rest } = this.#waiting;
    clearTimeout(timer);
    const wait = this.#follower.wait(performance.now());
    if (wait > 0) return this.#wait(rest, wait);
    this.#waiting = undefined;
    if (this.#enter(rest)) this.#goOn(rest.subarray(1));
    if (this.#channel.giveUp === undefined && !this.#interrupting) this.#surroundings.release();
  }

  /** Answers whether the Enter has gone on; if not, what stands behind it is taken care of. */
  #enter(rest: Buffer): boolean {
    const line = this.#follower.line();
    if (line.kind === "nothing") return this.#entered(rest);
    if (line.kind === "overlong") {
      this.#dropped(rest, OVERLONG);
      this.#interruptSoon();
      return false;
    }
    let done: "yet to be decided" | "gone on" | "dropped" | "waits" = "yet to be decided";
    const kept = (): Buffer => (done === "waits" ? held : rest);
    let held = rest;
    const go = (): void => {
      this.#entered(kept());
      if (done === "waits") this.#goOn(held.subarray(1));
      done = "gone on";
    };
    const refuse = (refusal: Refusal): void => {
      this.#dropped(kept(), refusal);
      if (done === "waits") this.#interrupt();
      else this.#interruptSoon();
      done = "dropped";
    };
    this.#surroundings.ask(line, go, refuse);
    if (done !== "yet to be decided") return done === "gone on";
    held = Buffer.from(rest);
    done = "waits";
    return false;
  }

  #entered(rest: Buffer): true {
    this.#follower.entered();
    this.#pass(rest.subarray(0, 1));
    return true;
  }

  /** What was typed behind an Enter comes before what waits. */
  #goOn(rest: Buffer): void {
    if (rest.length === 0) return;
    this.#channel.backlog ??= { messages: [], bytes: 0 };
    this.#channel.backlog.messages.unshift(this.#dataOf(rest));
    this.#channel.backlog.bytes += rest.length;
  }

  /**
   * In place of the Enter: why not, and Ctrl-C, which gives every shell a new prompt. What was typed or pasted behind it was meant
   * to follow it, and is thrown away.
   */
  #dropped(rest: Buffer, { text }: Refusal): void {
    this.#follower.dropped();
    this.#withhold(rest);
    let bytes = rest.length;
    const { backlog } = this.#channel;
    const messages = backlog?.messages.splice(0) ?? [];
    for (const one of messages)
      if (one[0] !== MESSAGE.channelData) backlog?.messages.push(one);
      else {
        this.#withhold(one.subarray(DATA_AT));
        bytes += one.length - DATA_AT;
      }
    this.#surroundings.tell(text);
    // The target's window has room for what it did not get.
    const given = bytes - CTRL_C.length;
    if (given > 0) this.#passage.say(MESSAGE.channelWindowAdjust, this.#channel.client, given);
  }

  #interrupt(): void {
    this.#passage.sayIn(this.#channel, MESSAGE.channelData, CTRL_C);
  }

  #interruptSoon(): void {
    this.#interrupting = true;
    this.#channel.backlog ??= { messages: [], bytes: 0 };
    const interrupt = (): void => {
      this.#interrupting = false;
      this.#interrupt();
      this.#surroundings.release();
    };
    this.#passage.later(DRAWN_WITHIN_MS, interrupt);
  }

  #pass(data: Buffer, sent = this.#dataOf(data)): void {
    const stored = this.#stored(data);
    this.#passage.passIn(this.#channel, sent, stored === data ? sent : this.#dataOf(stored));
  }

  #withhold(data: Buffer): void {
    this.#passage.withhold(this.#dataOf(data), this.#dataOf(this.#stored(data)));
  }

  /** What is recorded of it: not what the terminal does not show (invariant 7). */
  #stored(data: Buffer): Buffer {
    const typed = this.#channel.echo?.typed(data) ?? data;
    return this.#surroundings.masked(typed);
  }

  #dataOf(data: Buffer): Buffer {
    return message(MESSAGE.channelData, this.#channel.shown, data);
  }
}
