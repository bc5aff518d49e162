import type { SessionEvent } from "./events.ts";

/**
 * Turns a session's recorded bytes into semantic events. Pure: the same bytes and times give the same events, whatever
 * pieces they arrive in, so that they can be derived again by anyone who holds the recording.
 * It never throws on what it cannot understand; it says so in an event and goes on counting bytes.
 */
export interface Interpreter {
  /**
   * @param flags FLAG_REDACTED where secrets were replaced in `bytes`
   * @param start where in `bytes` the frame's begin, which go to `end`: all of them, where these are not given
   */
  input(bytes: Buffer, micros: number, flags: number, start?: number, end?: number): void;
  output(bytes: Buffer, micros: number, flags: number, start?: number, end?: number): void;
  /** The session is over: statements without an outcome are emitted as `unknown`. */
  finish(micros: number): void;
  /** Bytes of memory that it holds on to, roughly: what is asked and not answered, and what names stand for. */
  readonly held: number;
  /** Lets go of all of it: says so in an event, and what is asked has an unknown outcome from here on. */
  forget(micros: number): void;
  /** Statements asked so far. */
  readonly statements: number;
}

export type NewInterpreter = (emit: (event: SessionEvent, micros: number) => void) => Interpreter;
