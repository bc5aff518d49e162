import { type ChildProcessWithoutNullStreams, execFile, spawn } from "node:child_process";
import { constants } from "node:os";
import type { Readable, Writable } from "node:stream";
import { promisify } from "node:util";
import type { PseudoTtyInfo, ServerChannel } from "ssh2";
import type { Account } from "./unprivileged-account.ts";

/** As a shell says that a command could not be run (POSIX.1-2024, XCU 2.8.2). */
const CANNOT_EXECUTE = 126;
/** What a terminal may be asked to be, in characters. */
const MAX_SIDE = 1_000;

export interface CommandSettings {
  /** Where it runs. */
  readonly home: string;
  readonly account: Account;
  /** All of it. */
  readonly environment: NodeJS.ProcessEnv;
}

interface Asked {
  /** None: a shell. */
  readonly command: string | undefined;
  readonly terminal: PseudoTtyInfo | undefined;
}

export interface RunningCommand {
  /** When it and all that it has started have let go of its output, and its channel was told how it ended. */
  readonly ended: Promise<void>;
  /** By the name that SSH has for it, such as `TERM`; one that this system does not know is not sent. */
  signal(name: string): void;
  /** It and all of its process group, at once. */
  kill(): void;
}

/** Whether a command of this environment finds the script(1) that runs programs on a terminal, as we call it: util-linux's. */
export async function hasTerminals(env: NodeJS.ProcessEnv): Promise<boolean> {
  try {
    return (await promisify(execFile)("script", ["--version"], { env })).stdout.includes("util-linux");
  } catch {
    return false;
  }
}

/**
 * Runs a command, or a shell, by /bin/sh in a process group of its own, on a channel that was just accepted. Where the channel
 * closes first, the group is killed. A terminal keeps the size that it begins with.
 */
export function runCommand(channel: ServerChannel, asked: Asked, settings: CommandSettings): RunningCommand {
  const { home: cwd, account, environment } = settings;
  const [program = "", ...args] = argumentsOf(asked);
  const env = asked.terminal === undefined ? environment : { ...environment, TERM: termOf(asked.terminal) };
  const child = spawn(program, args, { ...account, cwd, env, detached: true, stdio: "pipe" });
  const send = (signal: number): void => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, signal);
    } catch {} // it has ended
  };
  let isOver = false;
  const kill = (): void => {
    if (isOver) return;
    send(constants.signals.SIGKILL);
    // Whoever has left the group, and holds them, is not waited for.
    child.stdout.destroy();
    child.stderr.destroy();
  };
  channel.on("error", () => {}); // the close that follows says it
  channel.once("close", kill);
  feed(channel, child.stdin);
  const ended = async (): Promise<void> => {
    await tell(channel, child);
    isOver = true;
  };
  return {
    ended: ended(),
    kill,
    signal: (name) => {
      const number = constants.signals[`SIG${name}` as NodeJS.Signals] as number | undefined;
      if (!isOver && number !== undefined) send(number);
    },
  };
}

function argumentsOf({ command, terminal }: Asked): string[] {
  if (terminal === undefined) return ["/bin/sh", ...(command === undefined ? ["-i"] : ["-c", command])];
  const run = command === undefined ? "/bin/sh -i" : `/bin/sh -c ${quoted(command)}`;
  const [rows, columns] = [terminal.rows, terminal.cols].map((side) => Math.min(side, MAX_SIDE));
  // -q: nothing of its own, -f: each write at once, -e: the command's status.
  return ["script", "-qfec", `stty rows ${rows} cols ${columns}; exec ${run}`, "/dev/null"];
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** The types forget that the request names the terminal (RFC 4254 §6.2). */
function termOf(terminal: PseudoTtyInfo): string {
  const { term } = terminal as PseudoTtyInfo & { readonly term?: string };
  return term !== undefined && /^[A-Za-z0-9._+-]{1,64}$/.test(term) ? term : "dumb";
}

/** A program that takes no more input leaves the rest unread, and must not keep the channel from closing. */
function feed(channel: ServerChannel, stdin: Writable): void {
  stdin.on("error", () => {}); // it has closed it, or has ended
  stdin.on("drain", () => channel.resume());
  stdin.on("close", () => channel.resume());
  channel.on("data", (bytes: Buffer) => {
    if (stdin.writable && !stdin.write(bytes)) channel.pause();
  });
  channel.once("end", () => stdin.end());
}

/** Sends what it says, all of it, and after that how it ended. Never throws. */
async function tell(channel: ServerChannel, child: ChildProcessWithoutNullStreams): Promise<void> {
  const exited = new Promise<readonly [number | null, NodeJS.Signals | null]>((done) => {
    child.once("error", () => done([CANNOT_EXECUTE, null]));
    child.once("close", (status, signal) => done([status, signal]));
  });
  const write = oneAtATime(channel);
  await Promise.all([
    pump(child.stdout, (bytes) => write(channel.stdout, bytes)),
    pump(child.stderr, (bytes) => write(channel.stderr, bytes)),
  ]);
  const [status, signal] = await exited;
  if (signal !== null) channel.exit(signal, false, "");
  else channel.exit(status ?? CANNOT_EXECUTE);
  channel.end(); // says that no more comes, and closes; close() alone would overtake what waits
}

async function pump(from: Readable, write: (bytes: Buffer) => Promise<void>): Promise<void> {
  try {
    for await (const bytes of from) await write(bytes as Buffer);
  } catch {} // a pipe that breaks has ended
}

/**
 * The library has one flag for the windows of both streams, so that of two writes that wait for it one is lost; and it never
 * forgets what has waited (server.js, CHANNEL_WINDOW_ADJUST), so that old output is sent again in place of new errors.
 */
const NOTHING_WAITS = { _chunk: undefined, _chunkcb: undefined, _chunkErr: undefined, _chunkcbErr: undefined };

function oneAtATime(channel: ServerChannel): (to: Writable, bytes: Buffer) => Promise<void> {
  let turn = Promise.resolve();
  let isGone = false;
  let release = (): void => {};
  channel.once("close", () => {
    isGone = true;
    release(); // to a channel that is closed a write is never answered
  });
  const write = (to: Writable, bytes: Buffer): Promise<void> =>
    new Promise((done) => {
      release = done;
      if (isGone) return done();
      Object.assign(channel, NOTHING_WAITS);
      to.write(bytes, () => done());
    });
  return (to, bytes) => {
    turn = turn.then(() => write(to, bytes));
    return turn;
  };
}
