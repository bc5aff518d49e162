import type { BoundArguments } from "./parameters.ts";
import { newPortal, type Names, type PreparedStatement } from "./prepared.ts";
import type { StatementRun } from "./statement-run.ts";

/** A message of the client that the server is still to answer (§54.2.3), with what is needed to understand the answer. */
export type Expected =
  | { readonly kind: "parse"; readonly statement: PreparedStatement; readonly askedAt: number }
  | {
      readonly kind: "bind";
      readonly portal: string;
      readonly statement: string;
      readonly bound: BoundArguments | undefined;
      readonly withheld: boolean;
      readonly askedAt: number;
    }
  | { readonly kind: "describe-statement" | "describe-portal"; readonly name: string; readonly askedAt: number }
  | { readonly kind: "close-statement" | "close-portal"; readonly name: string }
  | { readonly kind: "execute"; readonly run: StatementRun; readonly portal: string }
  /** `run` is the result under way; undefined between two of them. */
  | { readonly kind: "query"; readonly first: StatementRun; run: StatementRun | undefined }
  | { readonly kind: "call"; run: StatementRun | undefined }
  | { readonly kind: "sync" }
  /** The client's end of a COPY; it has no answer of its own. */
  | { readonly kind: "copy-end" };

/** One that prepares an execution, or cleans up after it. */
export type Setup = Exclude<Expected, { kind: "execute" | "query" | "call" | "sync" | "copy-end" }>;

/** What an expected message does to the names if it succeeds. */
export function suppose(expected: Expected, names: Names): void {
  if (expected.kind === "parse") names.parse(expected.statement);
  else if (expected.kind === "bind")
    names.bind(newPortal(expected.portal, names.statement(expected.statement), expected.bound, expected.withheld));
}

/** Bytes that it holds on to. */
function heldBytes(expected: Expected): number {
  switch (expected.kind) {
    case "parse":
      return expected.statement.asked.text.length;
    case "bind":
      return expected.bound?.body.length ?? 0;
    case "query":
      return expected.first.asked.text.length;
    case "describe-statement":
    case "describe-portal":
    case "close-statement":
    case "close-portal":
    case "execute":
    case "call":
    case "sync":
    case "copy-end":
      return 0;
  }
}

/** What an expected message takes beside its bytes and names, as measured: one that makes a run or a statement, any other. */
const LARGE_BYTES = 320;
const SMALL_BYTES = 64;
/** A type's OID in an array. */
const TYPE_BYTES = 8;

function memoryOf(expected: Expected): number {
  switch (expected.kind) {
    case "parse":
      return LARGE_BYTES + expected.statement.name.length + TYPE_BYTES * expected.statement.types.length;
    case "bind":
      return LARGE_BYTES + expected.portal.length + expected.statement.length;
    case "execute":
      return LARGE_BYTES + expected.portal.length;
    case "query":
    case "call":
      return LARGE_BYTES;
    case "describe-statement":
    case "describe-portal":
    case "close-statement":
    case "close-portal":
      return SMALL_BYTES + expected.name.length;
    case "sync":
    case "copy-end":
      return SMALL_BYTES;
  }
}

/** Places for the next, of a session that waits for no answer. */
const MAX_KEPT_PLACES = 64;

/** First in, first out, without moving what is in it. */
export class Expectations {
  /** Those from `#head` up to `#end` are there; the places around them are kept for the next. */
  #items: (Expected | undefined)[] = [];
  #head = 0;
  #end = 0;
  /** Bytes that all of them hold on to. */
  bytes = 0;
  #memory = 0;

  /** Bytes of memory that they take, roughly. */
  get held(): number {
    return this.bytes + this.#memory;
  }

  get size(): number {
    return this.#end - this.#head;
  }

  push(expected: Expected): void {
    this.bytes += heldBytes(expected);
    this.#memory += memoryOf(expected);
    this.#items[this.#end++] = expected;
  }

  /** The next one that has an answer; a COPY's end before it is passed over. */
  peek(): Expected | undefined {
    for (;;) {
      const next = this.#items[this.#head];
      if (next?.kind !== "copy-end") return next;
      this.shift();
    }
  }

  shift(): Expected | undefined {
    const next = this.#items[this.#head];
    if (next === undefined) return undefined;
    this.bytes -= heldBytes(next);
    this.#memory -= memoryOf(next);
    this.#items[this.#head++] = undefined;
    if (this.#head === this.#end) {
      this.#head = this.#end = 0;
      if (this.#items.length > MAX_KEPT_PLACES) this.#items = [];
    } else if (this.#head >= 1024 && this.#head * 2 > this.#end) {
      this.#items = this.#items.slice(this.#head, this.#end);
      this.#end -= this.#head;
      this.#head = 0;
    }
    return next;
  }

  /**
   * While the server takes a COPY's data it ignores Sync (copyfromparse.c, CopyGetData): drops those that were asked behind
   * the one at the head, up to the client's end of the COPY. Answers whether that end is there.
   */
  dropSyncsWithinCopy(): boolean {
    let last = this.#head;
    while (this.#items[last + 1]?.kind === "sync") last++;
    const ended = this.#items[last + 1]?.kind === "copy-end";
    if (ended) last++;
    // The head moves over them: what stands behind stays where it is.
    const head = this.#items[this.#head];
    this.#memory -= SMALL_BYTES * (last - this.#head);
    this.#items.fill(undefined, this.#head, last);
    this.#items[last] = head;
    this.#head = last;
    return ended;
  }
}
