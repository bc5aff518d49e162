import { z } from "zod";

/** Channels are counted from 1, in the order in which either side asked for them: SSH's own numbers are used again. */
const channel = z.number().int();
const side = z.enum(["client", "target"]);
const endpoint = z.object({ host: z.string(), port: z.number().int() });
/** Microseconds since the session's start. */
const micros = z.number();

/** A channel that was asked for, and what came of it (RFC 4254 §5.1). Emitted with the answer. */
const channelOpened = z.object({
  type: z.literal("channel-opened"),
  channel,
  /** `session`, `direct-tcpip`, `forwarded-tcpip`, `auth-agent`, `x11`, `direct-streamlocal`, …: without `@openssh.com`. */
  kind: z.string(),
  by: side,
  /** Of forwards: who connects, and where to (`direct-tcpip`) or to which listener (`forwarded-tcpip`). */
  from: endpoint.optional(),
  to: endpoint.optional(),
  /** Of forwards to sockets of the file system. */
  path: z.string().optional(),
  askedAt: micros,
  /** Policy withheld it: the target was never asked. */
  refused: z.boolean().optional(),
  failed: z.object({ code: z.number().int(), message: z.string() }).optional(),
});

const channelClosed = z.object({
  type: z.literal("channel-closed"),
  channel,
  kind: z.string(),
  openedAt: micros,
  duration: micros,
  /** Who closed it first; `session`: it was open when the session ended, or when it could not be followed any further. */
  by: z.enum(["client", "target", "session"]),
  /** Bytes of data, each way. */
  fromClient: z.number(),
  toClient: z.number(),
});

/** In characters. */
const terminal = z.object({ term: z.string(), columns: z.number().int(), rows: z.number().int() });

/** What a command's text, or the name of a subsystem, says plainly: a program that moves files. */
const program = z.object({
  name: z.enum(["scp", "rsync", "git", "sftp"]),
  direction: z.enum(["to-target", "from-target"]).optional(),
  path: z.string().optional(),
});

const command = {
  /** From 1, in the order in which the client asked. */
  number: z.number().int(),
  channel,
  via: z.enum(["shell", "exec", "subsystem"]),
  /** Of a shell: empty. */
  text: z.string(),
  /** Bytes of the text on the wire, where it was cut. */
  bytes: z.number().int().optional(),
  /** Secrets in it were replaced before it was stored. */
  redacted: z.boolean().optional(),
  /** It was entered in a guarded shell; its text is the line alone. */
  guarded: z.boolean().optional(),
  terminal: terminal.optional(),
  program: program.optional(),
  askedAt: micros,
};

/** A shell, a command or a subsystem was asked for, with the terminal that was asked for before it. */
const commandStarted = z.object({
  type: z.literal("command-started"),
  ...command,
  /** Policy withheld it: the target was never asked. */
  refused: z.boolean().optional(),
});

/** What became of it. Emitted when its channel closes to the client, or when the session ends before that. */
const commandEnded = z.object({
  type: z.literal("command-ended"),
  ...command,
  duration: micros.optional(),
  /** `refused`: by policy, the target never saw it; `failed`: the target did not start it; `unknown`: nobody said. */
  outcome: z.enum(["exited", "signalled", "refused", "failed", "unknown"]),
  status: z.number().int().optional(),
  signal: z.string().optional(),
  coreDumped: z.boolean().optional(),
  message: z.string().optional(),
  /** Bytes; of what the client sent, only what reached the target. */
  stdin: z.number(),
  stdout: z.number(),
  stderr: z.number(),
  /** Where it stands in the stream of bytes to the client: messages to its number `recipient` within [from, to). */
  output: z.object({ recipient: z.number().int(), from: z.number(), to: z.number() }).optional(),
});

const windowChanged = z.object({
  type: z.literal("window-changed"),
  channel,
  columns: z.number().int(),
  rows: z.number().int(),
});

/** A variable that the client asked to set for its command. */
const environment = z.object({
  type: z.literal("environment"),
  channel,
  name: z.string(),
  value: z.string(),
  /** Bytes of the value on the wire, where it was cut. */
  bytes: z.number().int().optional(),
  /** Its value is a secret by its name, or was replaced before it was stored. */
  redacted: z.boolean().optional(),
  refused: z.boolean().optional(),
});

/** The client asked to send a signal to its command (RFC 4254 §6.9). */
const signal = z.object({
  type: z.literal("signal"),
  channel,
  signal: z.string(),
  refused: z.boolean().optional(),
});

/** What was moved of a file: its SHA-256 where it was moved in order and whole parts of it were not moved twice. */
const moved = z.object({
  bytes: z.number(),
  /** Where in the file it began, if not at its start. */
  offset: z.number().optional(),
  sha256: z.string().optional(),
});

/** One operation on the target's files, by sftp or the old scp protocol. Reads and writes are told when the file is closed. */
const file = z.object({
  type: z.literal("file"),
  channel,
  via: z.enum(["sftp", "scp"]),
  operation: z.enum([
    "open",
    "read",
    "write",
    "read-write",
    "opendir",
    "rename",
    "remove",
    "mkdir",
    "rmdir",
    "setstat",
    "symlink",
    "hardlink",
    "copy",
    "stat",
    "extended",
  ]),
  /** As the client or, of scp, the sender named it: of scp, relative to the command's path. */
  path: z.string(),
  /** The new name of `rename`, the other file of `hardlink` and `copy`, what a `symlink` points to. */
  to: z.string().optional(),
  /** A name in it was longer than is kept. */
  cut: z.boolean().optional(),
  /** `ok`, or in words what the target, or policy, answered; `unknown` where it did not. */
  status: z.string(),
  message: z.string().optional(),
  /** Policy withheld it: the target was never asked. */
  refused: z.boolean().optional(),
  read: moved.optional(),
  written: moved.optional(),
  /** What was to be set. */
  attributes: z.record(z.string(), z.number()).optional(),
  askedAt: micros,
  duration: micros.optional(),
});

const forward = {
  /** Where the target listens on the client's behalf. */
  host: z.string().optional(),
  port: z.number().int().optional(),
  path: z.string().optional(),
  outcome: z.enum(["done", "failed", "refused", "unknown"]),
};
/** The client asked the target to listen (`-R`), and what came of it. */
const forwardListening = z.object({ type: z.literal("forward-listening"), ...forward });
const forwardCancelled = z.object({ type: z.literal("forward-cancelled"), ...forward });

/** A forward that ends at the gateway, because it leads to one of these connections: the session there is recorded by itself. */
const jump = z.object({ type: z.literal("jump"), ...endpoint.shape, connections: z.array(z.string()) });

/** From here on a part of the session, or of one channel, cannot be told any more; its raw frames go on. */
const notFollowed = z.object({ type: z.literal("not-followed"), channel: channel.optional(), message: z.string() });

/** What an SSH session's recording says beside the raw bytes. */
export const sshEvents = [
  channelOpened,
  channelClosed,
  commandStarted,
  commandEnded,
  windowChanged,
  environment,
  signal,
  file,
  forwardListening,
  forwardCancelled,
  jump,
  notFollowed,
] as const;

export type SshEvent = z.infer<(typeof sshEvents)[number]>;
export type ChannelOpenedEvent = z.infer<typeof channelOpened>;
export type ChannelClosedEvent = z.infer<typeof channelClosed>;
export type CommandStartedEvent = z.infer<typeof commandStarted>;
export type CommandEndedEvent = z.infer<typeof commandEnded>;
export type FileEvent = z.infer<typeof file>;
export type MovedBytes = z.infer<typeof moved>;
export type ForwardEvent = z.infer<typeof forwardListening> | z.infer<typeof forwardCancelled>;
export type Terminal = z.infer<typeof terminal>;
export type FileProgram = z.infer<typeof program>;
