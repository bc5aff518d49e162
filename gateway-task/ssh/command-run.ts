import { FLAG_REDACTED, FLAG_WITHHELD } from "../../core/recording/frame.ts";
import type { CommandEndedEvent, CommandStartedEvent, FileProgram, Terminal } from "../../core/recording/ssh-events.ts";
import type { WireText } from "../../core/ssh/field-reader.ts";
import { fileProgram } from "./file-program.ts";
import type { Tap } from "./tap.ts";

/** Of a text that its start has told, what its end tells again. */
const REPEATED_TEXT = 1 << 10;

/** A shell, command or subsystem that was asked for, and what has become of it so far. */
export interface CommandRun {
  readonly number: number;
  readonly via: CommandStartedEvent["via"];
  readonly text: WireText;
  readonly redacted: boolean;
  readonly refused: boolean;
  /** A line of a guarded shell, which the gateway runs as a command. */
  readonly guarded: boolean;
  terminal: Terminal | undefined;
  readonly program: FileProgram | undefined;
  readonly askedAt: number;
  stdin: number;
  stdout: number;
  stderr: number;
  /** Where its output begins in the stream; -1 before it does. */
  from: number;
  to: number;
  exit: Pick<CommandEndedEvent, "status" | "signal" | "coreDumped" | "message"> | undefined;
  tap: Tap | undefined;
}

export function newCommandRun(
  number: number,
  via: CommandRun["via"],
  text: WireText,
  { terminal, guarded }: { readonly terminal: Terminal | undefined; readonly guarded: boolean },
  { micros, flags }: { readonly micros: number; readonly flags: number },
): CommandRun {
  return {
    number,
    via,
    text,
    redacted: (flags & FLAG_REDACTED) !== 0,
    refused: (flags & FLAG_WITHHELD) !== 0,
    guarded,
    terminal,
    program: fileProgram(via, text.text),
    askedAt: micros,
    stdin: 0,
    stdout: 0,
    stderr: 0,
    from: -1,
    to: 0,
    exit: undefined,
    tap: undefined,
  };
}

export function startedEvent(run: CommandRun, channel: number): CommandStartedEvent {
  const event: CommandStartedEvent = { type: "command-started", ...what(run, channel, run.text) };
  if (run.refused) event.refused = true;
  return event;
}

/** @param failed the target said that it did not start it */
export function endedEvent(
  run: CommandRun,
  channel: { readonly number: number; readonly numbers: { readonly client: number | undefined } },
  micros: number | undefined,
  failed: boolean,
): CommandEndedEvent {
  const { text } = run.text;
  const long = text.length > REPEATED_TEXT;
  const told = long
    ? { text: text.slice(0, REPEATED_TEXT), bytes: run.text.bytes ?? Buffer.byteLength(text) }
    : run.text;
  const event: CommandEndedEvent = {
    type: "command-ended",
    ...what(run, channel.number, told),
    ...(micros === undefined ? {} : { duration: micros - run.askedAt }),
    outcome: outcomeOf(run, failed),
    ...run.exit,
    stdin: run.stdin,
    stdout: run.stdout,
    stderr: run.stderr,
  };
  const recipient = channel.numbers.client;
  if (run.from >= 0 && recipient !== undefined) event.output = { recipient, from: run.from, to: run.to };
  return event;
}

function outcomeOf({ refused, exit }: CommandRun, failed: boolean): CommandEndedEvent["outcome"] {
  if (refused) return "refused";
  if (failed) return "failed";
  if (exit === undefined) return "unknown";
  return exit.signal === undefined ? "exited" : "signalled";
}

function what(
  { number, via, redacted, guarded, terminal, program, askedAt }: CommandRun,
  channel: number,
  text: WireText,
) {
  return {
    number,
    channel,
    via,
    ...text,
    ...(redacted ? { redacted } : {}),
    ...(guarded ? { guarded } : {}),
    ...(terminal === undefined ? {} : { terminal }),
    ...(program === undefined ? {} : { program }),
    askedAt,
  };
}
