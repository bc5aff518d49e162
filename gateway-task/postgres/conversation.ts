import { FORGOTTEN, type SessionEvent } from "../../core/recording/events.ts";
import { suppose, type Expected, type Setup } from "./expected.ts";
import { Outstanding } from "./outstanding.ts";
import type { AskedText, RowShape } from "./prepared.ts";
import { newRun, statementEvent, type RunEnd, type StatementRun } from "./statement-run.ts";

/** Bytes that unanswered messages hold on to; over it, parameters are no longer kept, and texts only up to `SHORT_TEXT`. */
const MAX_HELD_BYTES = 32 << 20;
const SHORT_TEXT = 1 << 10;

const SYNC: Expected = { kind: "sync" };
const NO_TEXT: AskedText = { text: "", bytes: undefined, redacted: false };

/** When a message came, and its place in the stream of output: [from, to). */
export interface At {
  readonly micros: number;
  readonly from: number;
  readonly to: number;
}

export interface ServerError {
  readonly severity: string;
  readonly sqlstate: string;
  readonly message: string;
}

/**
 * Matches a session's answers to what was asked (§54.2): simple queries, the extended protocol with pipelining, COPY,
 * function calls. Emits an event a statement. A Query of several statements yields one a result, each with its text (a
 * long one whole in the first only, see `statementEvent`): the first has the number that the Query was given when it was asked, the others the next free number when they begin.
 * A Parse, Bind or Describe that fails is told as the failure of the Execute that was to follow, or of its own if none is.
 */
export class Conversation {
  readonly #emit: (event: SessionEvent, micros: number) => void;
  readonly #outstanding = new Outstanding((run, end, micros) => this.#end(run, end, micros));
  #statements = 0;
  /** The server has said its first ReadyForQuery, which answers no message. */
  #greeted = false;
  /** The run that takes the client's CopyData. */
  #copyingIn: StatementRun | undefined;
  #lastAsked: StatementRun | undefined;
  #lastShape: RowShape | undefined;

  constructor(emit: (event: SessionEvent, micros: number) => void) {
    this.#emit = emit;
  }

  /** Statements asked so far. */
  get statements(): number {
    return this.#statements;
  }

  /** Bytes of memory that it holds on to, roughly. */
  get held(): number {
    return this.#outstanding.held;
  }

  // What the client asks.

  query(asked: AskedText, micros: number): void {
    const run = this.#newRun("simple", this.#affordable(asked), micros);
    this.#lastAsked = run;
    if (!this.#outstanding.add({ kind: "query", first: run, run }, micros)) this.#sayTooMany(micros);
  }

  execute(portal: string, micros: number): void {
    const run = this.#newRun("extended", NO_TEXT, micros);
    this.#lastAsked = run;
    if (!this.#outstanding.add({ kind: "execute", portal, run }, micros)) this.#sayTooMany(micros);
  }

  call(text: string, withheld: boolean, micros: number): void {
    const run = this.#newRun("function-call", { ...NO_TEXT, text, withheld }, micros);
    if (!this.#outstanding.add({ kind: "call", run }, micros)) this.#sayTooMany(micros);
  }

  setUp(setup: Setup, micros: number): void {
    if (!this.#outstanding.add(this.#lightened(setup), micros)) this.#sayTooMany(micros);
  }

  sync(micros: number): void {
    // While the server takes a COPY's data it ignores Sync (CopyGetData in copyfromparse.c).
    if (this.#copyingIn !== undefined) return;
    if (!this.#outstanding.add(SYNC, micros)) this.#sayTooMany(micros);
  }

  copyData(bytes: number): void {
    const run = this.#copyingIn ?? this.#lastAsked;
    if (run !== undefined && run.copying !== "out") run.copiedBytes += bytes;
  }

  copyEnd(micros: number): void {
    if (this.#copyingIn !== undefined) this.#copyingIn = undefined;
    else if (!this.#outstanding.isEmpty) this.#outstanding.add({ kind: "copy-end" }, micros);
  }

  // What the server answers.

  parsed(): void {
    const head = this.#head();
    if (head?.kind !== "parse") return;
    this.#outstanding.names.parse(head.statement);
    this.#outstanding.pass();
  }

  bound(): void {
    const head = this.#head();
    if (head?.kind !== "bind") return;
    suppose(head, this.#outstanding.names);
    this.#outstanding.pass();
  }

  closed(): void {
    const head = this.#head();
    if (head?.kind === "close-portal") this.#outstanding.names.closePortal(head.name);
    else if (head?.kind === "close-statement") this.#outstanding.names.closeStatement(head.name);
    else return;
    this.#outstanding.pass();
  }

  parametersDescribed(types: readonly number[]): void {
    const head = this.#head();
    const statement = head?.kind === "describe-statement" ? this.#outstanding.names.statement(head.name) : undefined;
    if (statement !== undefined) this.#outstanding.names.typed(statement, types);
  }

  /** @param shapeOf the columns of a RowDescription, from the ones that are known already; undefined for NoData */
  rowsDescribed<Message extends At>(
    shapeOf: ((message: Message, known: RowShape | undefined) => RowShape) | undefined,
    at: Message,
  ): void {
    const head = this.#head();
    if (head?.kind === "query") {
      const run = this.#running(at.from);
      if (run !== undefined) run.shape = this.#lastShape = shapeOf?.(at, this.#lastShape);
    } else if (head?.kind === "describe-statement" || head?.kind === "describe-portal") {
      const { names } = this.#outstanding;
      const portal = head.kind === "describe-portal" ? names.portal(head.name) : undefined;
      const statement = head.kind === "describe-portal" ? portal?.statement : names.statement(head.name);
      if (statement !== undefined) names.describe(statement, shapeOf?.(at, statement.described));
      if (portal !== undefined && shapeOf !== undefined) {
        portal.describedFrom = at.from;
        portal.describedTo = at.to;
      }
      this.#outstanding.pass();
    }
  }

  rows(count: number, from: number): void {
    const run = this.#running(from);
    if (run !== undefined) run.rows += count;
  }

  copiedOut(count: number, bytes: number, from: number): void {
    const run = this.#running(from);
    if (run?.copying !== "out") return;
    run.rows += count;
    run.copiedBytes += bytes;
  }

  copying(direction: "in" | "out", from: number): void {
    const run = this.#running(from);
    if (run === undefined) return;
    run.copying = direction;
    if (direction === "out") run.copiedBytes = 0;
    else if (!this.#outstanding.dropSyncsWithinCopy()) this.#copyingIn = run;
  }

  /** CommandComplete, EmptyQueryResponse or FunctionCallResponse, or PortalSuspended. */
  ended(outcome: "completed" | "suspended", tag: string | undefined, at: At): void {
    const run = this.#running(at.from);
    if (run === undefined) return;
    this.#passRun();
    this.#end(run, { outcome, micros: at.micros, to: at.to, tag }, at.micros);
  }

  failed(error: ServerError, at: At): void {
    const head = this.#head();
    const fatal = error.severity === "FATAL" || error.severity === "PANIC";
    const fail = (run: StatementRun | undefined): void => {
      if (run === undefined) return this.#emit({ type: "error", ...error }, at.micros);
      if (run.from < 0) run.from = at.from;
      return this.#end(run, { outcome: "failed", micros: at.micros, to: at.to, error }, at.micros);
    };
    if (head === undefined || head.kind === "sync" || head.kind === "copy-end") fail(undefined);
    else if (head.kind === "query" || head.kind === "execute" || head.kind === "call") {
      const run = this.#running(at.from);
      this.#passRun();
      fail(run);
      if (head.kind === "execute" && !fatal) this.#outstanding.skipToSync(at.micros);
    } else if (fatal) fail(undefined);
    else {
      this.#outstanding.pass();
      const own = (askedAt: number): StatementRun => this.#newRun("extended", NO_TEXT, askedAt);
      this.#outstanding.setupFailed(head, own, fail, at.micros);
    }
  }

  /** ReadyForQuery. */
  ready(idle: boolean, at: At): void {
    if (this.#greeted) this.#outstanding.ready(at.micros, at.from);
    this.#greeted = true;
    if (idle) this.#outstanding.names.endTransaction();
  }

  /** A direction can no longer be followed. If it is the answers', what is asked now and later has an unknown outcome. */
  lose(message: string, at: At, answers: boolean): void {
    this.#emit({ type: "error", severity: "WARNING", sqlstate: "08P01", message }, at.micros);
    if (answers) this.finish(at.micros, at.to);
  }

  /** The session is over: what is outstanding has an unknown outcome. */
  finish(micros: number, to: number): void {
    this.#outstanding.giveUp(micros, to);
  }

  /** Lets go of everything: the session holds more than its share. */
  forget(micros: number, to: number): void {
    this.#emit(FORGOTTEN, micros);
    this.#outstanding.giveUp(micros, to);
    this.#outstanding.names.clear();
    this.#copyingIn = this.#lastAsked = this.#lastShape = undefined;
  }

  #sayTooMany(micros: number): void {
    const message = "the client is too many messages ahead of the server: outcomes are no longer known";
    this.#emit({ type: "error", severity: "WARNING", sqlstate: "54000", message }, micros);
  }

  #newRun(via: StatementRun["via"], asked: AskedText, micros: number): StatementRun {
    return newRun(++this.#statements, via, asked, micros);
  }

  #affordable(asked: AskedText): AskedText {
    if (this.#outstanding.bytes <= MAX_HELD_BYTES || asked.text.length <= SHORT_TEXT) return asked;
    return { ...asked, text: asked.text.slice(0, SHORT_TEXT), bytes: asked.bytes ?? Buffer.byteLength(asked.text) };
  }

  #lightened(setup: Setup): Setup {
    if (this.#outstanding.bytes <= MAX_HELD_BYTES) return setup;
    if (setup.kind === "bind") return { ...setup, bound: undefined };
    if (setup.kind !== "parse") return setup;
    return { ...setup, statement: { ...setup.statement, asked: this.#affordable(setup.statement.asked) } };
  }

  #head(): Expected | undefined {
    this.#greeted = true;
    return this.#outstanding.head();
  }

  /** The run that a reply at `from` belongs to; undefined if none is under way. */
  #running(from: number): StatementRun | undefined {
    const head = this.#head();
    if (head?.kind !== "query" && head?.kind !== "execute" && head?.kind !== "call") return undefined;
    if (head.kind === "query") head.run ??= this.#newRun("simple", head.first.asked, head.first.askedAt);
    const { run } = head;
    if (run === undefined || run.from >= 0) return run;
    run.from = from;
    if (head.kind === "execute") {
      run.portal = this.#outstanding.portalOf(head.portal);
      if (run.portal.describedTo === from) run.from = run.portal.describedFrom;
    }
    return run;
  }

  #passRun(): void {
    const head = this.#outstanding.head();
    if (head?.kind === "execute") this.#outstanding.pass();
    else if (head?.kind === "query" || head?.kind === "call") head.run = undefined;
  }

  #end(run: StatementRun, end: RunEnd, micros: number): void {
    if (this.#copyingIn === run) this.#copyingIn = undefined;
    this.#emit(statementEvent(run, end), micros);
  }
}
