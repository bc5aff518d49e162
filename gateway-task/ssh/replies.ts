import { SallyportError } from "../../core/errors.ts";
import type { Side } from "../recorder/permit.ts";

/** Answers that one may be owed at a time; clients ask for a few before they wait. */
const MAX_OWED = 4_096;

/** Sends an answer of ours. */
type Answer = () => void;

/**
 * Answers come in the order of what was asked, globally and in each channel (RFC 4254 §4, §5.4): one of ours has to wait for
 * those that the other side still owes.
 */
export class Replies {
  #owed: ("theirs" | Answer)[] = [];

  /** A request that wants an answer was passed on. Throws `limit-exceeded`. */
  passedOn(): void {
    this.#owe("theirs");
  }

  /** We answer one ourselves, as soon as it is its turn. Throws `limit-exceeded`. */
  ours(answer: Answer): void {
    this.#owe(answer);
    this.#flush();
  }

  #owe(owed: "theirs" | Answer): void {
    if (this.#owed.push(owed) > MAX_OWED)
      throw new SallyportError("limit-exceeded", "too many requests wait for their answers");
  }

  /** Whether the other side owes the next answer. */
  get areOwed(): boolean {
    return this.#owed[0] === "theirs";
  }

  /** An answer of the other side's has been passed on. */
  answered(): void {
    this.#owed.shift();
    this.#flush();
  }

  /** The other side will answer nothing more. */
  abandon(): void {
    this.#owed = this.#owed.filter((owed) => owed !== "theirs");
    this.#flush();
  }

  #flush(): void {
    for (let next = this.#owed[0]; next !== undefined && next !== "theirs"; next = this.#owed[0]) {
      this.#owed.shift();
      next();
    }
  }
}

/** Passes an answer on, and behind it those of ours that waited for it. Throws `protocol-violation` where none is owed. */
export function answerOf(side: Side, replies: Replies, pass: () => void): void {
  if (!replies.areOwed) throw new SallyportError("protocol-violation", `the ${side} answered what nobody asked`);
  pass();
  replies.answered();
}
