import { Expectations, suppose, type Expected, type Setup } from "./expected.ts";
import {
  ConfirmedNames,
  newPortal,
  SupposedNames,
  unknownStatement,
  type Names,
  type Portal,
  type PreparedStatement,
} from "./prepared.ts";
import type { RunEnd, StatementRun } from "./statement-run.ts";

/** Unanswered messages that are remembered. A client further ahead of its server is no longer followed. */
const MAX_OUTSTANDING = 250_000;

/**
 * What the client has asked and the server has not answered, in order, and the names that stand for something. After an
 * error in the extended protocol, everything up to the next Sync is skipped (§54.2.3).
 */
export class Outstanding {
  readonly names = new ConfirmedNames();
  readonly #expected = new Expectations();
  readonly #end: (run: StatementRun, end: RunEnd, micros: number) => void;
  /** What is asked is skipped, up to a Sync that is still to come. */
  #skipping: SupposedNames | undefined;
  /** Answers can no longer be told apart: whatever is asked has an unknown outcome. */
  #blind = false;

  /** @param end takes what ends without an answer of its own */
  constructor(end: (run: StatementRun, end: RunEnd, micros: number) => void) {
    this.#end = end;
  }

  /** Bytes that the unanswered messages hold on to. */
  get bytes(): number {
    return this.#expected.bytes;
  }

  /** Bytes of memory that it holds on to, roughly. */
  get held(): number {
    return this.#expected.held + this.names.held;
  }

  get isEmpty(): boolean {
    return this.#expected.size === 0;
  }

  /** Takes what the client asks. False if there is too much of it: all that came before is then given up. */
  add(expected: Expected, micros: number): boolean {
    const tooMany = this.#expected.size >= MAX_OUTSTANDING;
    if (tooMany) this.giveUp(micros, undefined);
    if (this.#blind) this.#abandon(expected, { outcome: "unknown" }, this.names, micros);
    else if (this.#skipping === undefined || expected.kind === "sync") {
      this.#skipping = undefined;
      this.#expected.push(expected);
    } else this.#abandon(expected, { outcome: "skipped" }, this.#skipping, micros);
    return !tooMany;
  }

  /** What the next answer is for. */
  head(): Expected | undefined {
    return this.#expected.peek();
  }

  /** The head has had its last answer. */
  pass(): void {
    this.#expected.shift();
  }

  portalOf(name: string, names: Names = this.names): Portal {
    return names.portal(name) ?? newPortal(name, unknownStatement(""), undefined);
  }

  /** See `Expectations`. */
  dropSyncsWithinCopy(): boolean {
    return this.#expected.dropSyncsWithinCopy();
  }

  /** ReadyForQuery has come: what should have been answered before it has an unknown outcome. */
  ready(micros: number, to: number): void {
    this.#skipping = undefined;
    for (let next = this.#expected.shift(); next !== undefined; next = this.#expected.shift()) {
      this.#abandon(next, { outcome: "unknown", to }, this.names, micros);
      if (next.kind === "query") this.names.closeStatement(""); // a simple query drops the unnamed statement (§54.2.3)
      if (next.kind === "sync" || next.kind === "query" || next.kind === "call") return;
    }
  }

  /** An Execute has failed. */
  skipToSync(micros: number): void {
    this.#skip(this.#takeToSync(), new SupposedNames(this.names), micros);
  }

  /** No more answers will come, or none that can be understood. */
  giveUp(micros: number, to: number | undefined): void {
    this.#blind = true;
    const names = new SupposedNames(this.names);
    for (let next = this.#expected.shift(); next !== undefined; next = this.#expected.shift())
      this.#abandon(next, { outcome: "unknown", to }, names, micros);
  }

  /**
   * A Parse, Bind or Describe has failed, which is passed already, and what follows it up to a Sync is skipped.
   * @param own makes a run of its own, for one that no Execute followed
   * @param fail ends the run that it was for; undefined if there is none
   */
  setupFailed(
    failed: Setup,
    own: (askedAt: number) => StatementRun,
    fail: (run: StatementRun | undefined) => void,
    micros: number,
  ): void {
    const names = new SupposedNames(this.names);
    suppose(failed, names);
    const cause = causeOf(failed, names);
    const taken = this.#takeToSync();
    const victim = cause && executeOf(cause, taken, names);
    if (cause === undefined || victim !== undefined) fail(victim);
    else {
      const run = own("askedAt" in failed ? failed.askedAt : micros);
      run.portal = "statement" in cause ? cause : newPortal("", cause, undefined);
      fail(run);
    }
    // Before it is parsed, the unnamed statement's predecessor is dropped.
    if (failed.kind === "parse" && failed.statement.name === "") this.names.closeStatement("");
    const left = taken.filter((expected) => expected.kind !== "execute" || expected.run !== victim);
    const supposed = new SupposedNames(this.names);
    suppose(failed, supposed);
    this.#skip(left, supposed, micros);
  }

  #takeToSync(): Expected[] {
    const taken: Expected[] = [];
    for (let next = this.#expected.peek(); next !== undefined && next.kind !== "sync"; next = this.#expected.peek()) {
      taken.push(next);
      this.#expected.shift();
    }
    return taken;
  }

  #skip(skipped: readonly Expected[], names: SupposedNames, micros: number): void {
    for (const expected of skipped) this.#abandon(expected, { outcome: "skipped" }, names, micros);
    if (this.#expected.size === 0) this.#skipping = names;
  }

  /** Tells what became of a message that has had no answer, and takes it as done for the names that the ones behind it use. */
  #abandon(expected: Expected, end: RunEnd, names: Names, micros: number): void {
    if (expected.kind === "execute") {
      expected.run.portal ??= this.portalOf(expected.portal, names);
      this.#end(expected.run, end, micros);
    } else if (expected.kind === "query" || expected.kind === "call") {
      if (expected.run !== undefined) this.#end(expected.run, end, micros);
    } else suppose(expected, names);
  }
}

/** What failed: a portal, or a statement; undefined where nothing is known of it. */
function causeOf(failed: Setup, names: Names): Portal | PreparedStatement | undefined {
  switch (failed.kind) {
    case "parse":
      return failed.statement;
    case "bind":
      return names.portal(failed.portal);
    case "describe-statement":
      return names.statement(failed.name);
    case "describe-portal":
      return names.portal(failed.name);
    case "close-statement":
    case "close-portal":
      return undefined;
  }
}

/** The first Execute among `asked` that the failure was for. */
function executeOf(
  cause: Portal | PreparedStatement,
  asked: readonly Expected[],
  names: Names,
): StatementRun | undefined {
  for (const expected of asked) {
    suppose(expected, names);
    if (expected.kind !== "execute") continue;
    const portal = names.portal(expected.portal);
    if (portal === undefined || (portal !== cause && portal.statement !== cause)) continue;
    expected.run.portal = portal;
    return expected.run;
  }
  return undefined;
}
