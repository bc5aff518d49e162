import { expect } from "vitest";
import { type SessionEvent, sessionEvent } from "../../../core/recording/events.ts";
import { sshInterpreter } from "../../../gateway-task/ssh/interpreter.ts";
import { ssh } from "../../setup/ssh-bytes.ts";

/** Bytes of one direction. */
export interface Step {
  readonly by: "client" | "target";
  readonly bytes: Buffer;
  readonly flags: number;
  /** When they came; the step's number, if it is not cut from one. */
  readonly micros?: number;
}

export interface Conversation {
  readonly promise: string;
  readonly steps: readonly Step[];
  /** What is expected of the events, in their order. */
  readonly events: readonly Record<string, unknown>[];
}

export const client = (...bytes: readonly Buffer[]): Step => ({ by: "client", bytes: Buffer.concat(bytes), flags: 0 });
export const target = (...bytes: readonly Buffer[]): Step => ({ by: "target", bytes: Buffer.concat(bytes), flags: 0 });
export const flagged = (flags: number, step: Step): Step => ({ ...step, flags });

/** The client's number of a channel and the target's, which differ, so that none passes for the other. */
export const MINE = 0;
export const THEIRS = 7;
export const opened = (kind = "session"): Step[] => [client(ssh.open(kind, MINE)), target(ssh.confirm(MINE, THEIRS))];
export const closed = (): Step[] => [target(ssh.eof(MINE), ssh.close(MINE)), client(ssh.close(THEIRS))];

/** The events of a conversation. All pieces come in one buffer, which is overwritten from one to the next, as its owner may do. */
export function interpret(steps: readonly Step[], finished = true): SessionEvent[] {
  const events: SessionEvent[] = [];
  const slab = Buffer.alloc(Math.max(0, ...steps.map((step) => step.bytes.length)));
  const interpreter = sshInterpreter((event) => events.push(sessionEvent.parse(structuredClone(event))));
  for (const [n, step] of steps.entries()) {
    const bytes = slab.subarray(0, step.bytes.copy(slab));
    if (step.by === "client") interpreter.input(bytes, step.micros ?? n, step.flags);
    else interpreter.output(bytes, step.micros ?? n, step.flags);
  }
  const end = (steps.at(-1)?.micros ?? steps.length - 1) + 1;
  if (finished) interpreter.finish(end);
  if (finished) interpreter.finish(end);
  const started = events.filter(({ type }) => type === "command-started");
  expect(interpreter.statements).toBe(started.length);
  if (finished) expect(events.filter(({ type }) => type === "command-ended")).toHaveLength(started.length);
  // The head of a message that is cut off, at most.
  if (finished) expect(interpreter.held).toBeLessThan(140_000);
  return events;
}

/** Events without what a test does not ask for. */
export const ofType = <T extends SessionEvent["type"]>(events: readonly SessionEvent[], type: T) =>
  events.filter((event): event is Extract<SessionEvent, { type: T }> => event.type === type);

/** The same bytes in other pieces, at the same times: each step cut at `cuts`, empty pieces included. */
export function recut(steps: readonly Step[], cuts: readonly number[]): Step[] {
  return steps.flatMap((step, n) => {
    const at = [0, ...cuts.map((cut) => cut % (step.bytes.length + 1)), step.bytes.length].toSorted((a, b) => a - b);
    return at.slice(1).map((end, i) => ({ ...step, micros: n, bytes: step.bytes.subarray(at[i], end) }));
  });
}
