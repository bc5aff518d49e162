import { expect } from "vitest";
import type { SessionEvent, StatementEvent } from "../../../core/recording/events.ts";
import { sessionEvent } from "../../../core/recording/events.ts";
import { postgresInterpreter } from "../../../gateway-task/postgres/interpreter.ts";

/** Bytes of one direction, and when they came. */
export interface Step {
  readonly to: "server" | "client";
  readonly bytes: Buffer;
  readonly flags?: number;
}

export interface Conversation {
  readonly promise: string;
  /** After the greeting. */
  readonly steps: readonly Step[];
  /** What is expected of the events, in their order. */
  readonly events: readonly Record<string, unknown>[];
}

const u16 = (n: number): Buffer => Buffer.from([(n >> 8) & 0xff, n & 0xff]);
export const u32 = (n: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(n | 0);
  return bytes;
};

export function message(tag: string, ...body: readonly Buffer[]): Buffer {
  const bytes = Buffer.concat(body);
  return Buffer.concat([Buffer.from(tag, "latin1"), u32(bytes.length + 4), bytes]);
}

const text = (s: string): Buffer => Buffer.from(`${s}\0`);
const reported = (tag: string, sqlstate: string, words: string, severity = "ERROR"): Buffer =>
  message(tag, Buffer.from(`SFEHLER\0V${severity}\0C${sqlstate}\0M${words}\0Ddetail\0\0`));

/** The server's messages (§55.7). */
export const server = {
  ready: (status = "I") => message("Z", Buffer.from(status)),
  greeting: () =>
    Buffer.concat([
      message("S", text("server_version"), text("18")),
      message("K", u32(7), u32(8)),
      message("Z", Buffer.from("I")),
    ]),
  columns: (...columns: readonly (readonly [name: string, type: number, format?: number])[]) =>
    message(
      "T",
      u16(columns.length),
      ...columns.map(([name, type, format = 0]) =>
        Buffer.concat([text(name), u32(99), u16(1), u32(type), u16(4), u32(-1), u16(format)]),
      ),
    ),
  row: (...values: readonly string[]) =>
    message(
      "D",
      u16(values.length),
      ...values.map((value) => Buffer.concat([u32(Buffer.byteLength(value)), Buffer.from(value)])),
    ),
  complete: (tag: string) => message("C", text(tag)),
  empty: () => message("I"),
  parsed: () => message("1"),
  bound: () => message("2"),
  closed: () => message("3"),
  noData: () => message("n"),
  parameters: (...types: readonly number[]) => message("t", u16(types.length), ...types.map(u32)),
  suspended: () => message("s"),
  copyIn: () => message("G", Buffer.from([0]), u16(1), u16(0)),
  copyOut: () => message("H", Buffer.from([0]), u16(1), u16(0)),
  copyBoth: () => message("W", Buffer.from([0]), u16(0)),
  copyData: (data: string) => message("d", Buffer.from(data)),
  copyDone: () => message("c"),
  error: (sqlstate: string, words: string, severity?: string) => reported("E", sqlstate, words, severity),
  notice: (sqlstate: string, words: string) => reported("N", sqlstate, words, "NOTICE"),
  notification: (channel: string, payload: string) => message("A", u32(42), text(channel), text(payload)),
  called: () => message("V", u32(1), Buffer.from("x")),
};

/** FunctionCall, which no client library writes any more. */
export const functionCall = (oid: number): Buffer => message("F", u32(oid), u16(0), u16(0), u16(0));

export const ask = (...bytes: readonly Buffer[]): Step => ({ to: "server", bytes: Buffer.concat(bytes) });
export const answer = (...bytes: readonly Buffer[]): Step => ({ to: "client", bytes: Buffer.concat(bytes) });

/** The events of a conversation. All pieces come in one buffer, which is overwritten from one to the next, as its owner may do. */
export function interpret(steps: readonly Step[], finished = true): SessionEvent[] {
  const events: SessionEvent[] = [];
  let asked = 0;
  const slab = Buffer.alloc(Math.max(0, ...steps.map((step) => step.bytes.length)));
  const interpreter = postgresInterpreter((event) =>
    events.push(sessionEvent.parse(JSON.parse(JSON.stringify(event)))),
  );
  for (const [micros, step] of steps.entries()) {
    const bytes = slab.subarray(0, step.bytes.copy(slab));
    if (step.to === "server") interpreter.input(bytes, micros, step.flags ?? 0);
    else interpreter.output(bytes, micros, step.flags ?? 0);
    expect(interpreter.statements).toBeGreaterThanOrEqual(asked);
    asked = interpreter.statements;
  }
  if (finished) interpreter.finish(steps.length);
  if (finished) interpreter.finish(steps.length);
  expect(new Set(statements(events).map((event) => event.number)).size).toBe(statements(events).length);
  expectOutputsToHold(steps, events);
  return events;
}

export function statements(events: readonly SessionEvent[]): StatementEvent[] {
  return events.filter((event) => event.type === "statement");
}

/** The same events, without what depends on when they came. */
export function timeless(events: readonly SessionEvent[]): unknown[] {
  return events.map((event) => (event.type === "statement" ? { ...event, askedAt: 0, duration: 0 } : event));
}

/** The same bytes in other pieces: each step cut at `cuts` fractions, empty pieces included. */
export function recut(steps: readonly Step[], cuts: readonly number[]): Step[] {
  return steps.flatMap((step) => {
    const at = [0, ...cuts.map((cut) => cut % (step.bytes.length + 1)), step.bytes.length].toSorted((a, b) => a - b);
    return at.slice(1).map((end, i) => ({ ...step, bytes: step.bytes.subarray(at[i], end) }));
  });
}

const LAST_REPLIES = "CIEsV";

/** Each event's `output` begins and ends with a message, ends with the one that says the outcome, and holds its rows. */
function expectOutputsToHold(steps: readonly Step[], events: readonly SessionEvent[]): void {
  const output = Buffer.concat(steps.filter((step) => step.to === "client").map((step) => step.bytes));
  for (const event of statements(events)) {
    if (event.output === undefined) continue;
    const [from, to] = event.output;
    const tags: string[] = [];
    let at = from;
    while (at < to && at + 5 <= output.length) {
      tags.push(String.fromCharCode(output[at] ?? 0));
      at += 1 + output.readUInt32BE(at + 1);
    }
    if (event.outcome === "unknown") continue;
    expect(at).toBe(to);
    expect(LAST_REPLIES).toContain(tags.at(-1));
    if (event.copied === undefined) expect(tags.filter((tag) => tag === "D")).toHaveLength(event.rows);
    if (event.columns !== undefined && event.via === "simple") expect(tags[0]).toBe("T");
  }
}
