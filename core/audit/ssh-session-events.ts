import type {
  ChannelClosedEvent,
  ChannelOpenedEvent,
  CommandEndedEvent,
  CommandStartedEvent,
  FileEvent,
  ForwardEvent,
  MovedBytes,
  SshEvent,
} from "../recording/ssh-events.ts";
import { boundedText, flat, words } from "./bounded-text.ts";
import { CONTROLS, type Draft, type OcsfFields, type Severity, type Status } from "./ocsf.ts";
import type { SessionContext } from "./session-context.ts";

/** Activities of class 4007. */
const OPEN = 1;
const CLOSE = 2;
const FAIL = 4;
const REFUSE = 5;
const TRAFFIC = 6;
const LISTEN = 7;

const SHA_256 = 3;
/** `type_id` of a file: what the protocol does not say. */
const UNKNOWN_FILE = 0;
const REGULAR_FILE = 1;
const FOLDER = 2;
const FOLDER_OPERATIONS: ReadonlySet<FileEvent["operation"]> = new Set(["opendir", "mkdir", "rmdir"]);
const FILE_OPERATIONS: ReadonlySet<FileEvent["operation"]> = new Set(["read", "write", "read-write", "open"]);

interface Told {
  readonly code: string;
  readonly activity: number | string;
  readonly severity?: Severity;
  readonly status: Status;
  readonly message: string;
  readonly values?: Parameters<typeof flat>[0];
  readonly cutFrom?: number | undefined;
  readonly fields?: OcsfFields;
  /** Texts that may be longer than a value of `unmapped`. */
  readonly texts?: Readonly<Record<string, string>>;
}

/** An event of an SSH session's recording, as `draftOf` has it. */
export function sshDraft(event: SshEvent, context: SessionContext): Draft | undefined {
  const told = toldOf(event, context);
  if (told === undefined) return undefined;
  const unmapped = { ...flat(told.values ?? {}), ...told.texts };
  return {
    class: context.class,
    activity: told.activity,
    code: told.code,
    severity: told.severity ?? "informational",
    status: told.status,
    message: words(told.message),
    correlation: context.opened.session,
    cutFrom: told.cutFrom,
    fields: { ...context.fields, ...told.fields, ...(Object.keys(unmapped).length > 0 && { unmapped }) },
  };
}

function toldOf(event: SshEvent, context: SessionContext): Told | undefined {
  switch (event.type) {
    case "channel-opened":
      // Of a channel for commands, what is asked for in it tells.
      return event.kind === "session" && event.refused !== true && event.failed === undefined
        ? undefined
        : channelOpened(event);
    case "channel-closed":
      return channelClosed(event, context);
    case "command-started":
      return commandStarted(event);
    case "command-ended":
      return commandEnded(event);
    case "file":
      return fileTold(event);
    case "forward-listening":
    case "forward-cancelled":
      return forwardTold(event);
    case "jump": {
      const { host, port, connections } = event;
      return {
        code: event.type,
        activity: OPEN,
        severity: "informational",
        status: "success",
        message: `the client jumps to ${connections.join(", ")}, where another session begins`,
        values: { host, port, connections: connections.join(" ") },
      };
    }
    case "signal":
      return {
        code: event.type,
        activity: event.refused === true ? REFUSE : "Signal",
        status: event.refused === true ? "failure" : "success",
        message: `signal ${event.signal}`,
        values: { channel: event.channel, signal: event.signal },
        ...(event.refused === true && { severity: "low", fields: CONTROLS.blocked }),
      };
    case "not-followed":
      return {
        code: event.type,
        activity: "Not followed",
        severity: "medium",
        status: "failure",
        message: event.message,
        values: { channel: event.channel },
      };
    case "window-changed":
    case "environment":
      return undefined;
  }
}

function channelOpened(event: ChannelOpenedEvent): Told {
  const { refused, failed, to } = event;
  const activity = refused === true ? REFUSE : failed === undefined ? OPEN : FAIL;
  return {
    code: event.type,
    activity,
    severity: refused === true ? "low" : "informational",
    status: activity === OPEN ? "success" : "failure",
    message: `channel ${event.channel}, ${event.kind}${to === undefined ? "" : ` to ${to.host}:${to.port}`}`,
    values: {
      channel: event.channel,
      kind: event.kind,
      by: event.by,
      "from.host": event.from?.host,
      "from.port": event.from?.port,
      "to.host": to?.host,
      "to.port": to?.port,
      path: event.path,
    },
    fields: {
      ...(refused === true && CONTROLS.blocked),
      ...(failed !== undefined && { status_code: String(failed.code), status_detail: words(failed.message) }),
    },
  };
}

function channelClosed(event: ChannelClosedEvent, { opened }: SessionContext): Told {
  const { fromClient, toClient } = event;
  return {
    code: event.type,
    activity: CLOSE,
    status: "success",
    message: `channel ${event.channel} closed`,
    values: { channel: event.channel, kind: event.kind, by: event.by },
    fields: {
      traffic: { bytes: fromClient + toClient, bytes_in: fromClient, bytes_out: toClient },
      start_time: Math.floor(opened.startedAt + event.openedAt / 1000),
      duration: Math.round(event.duration / 1000),
    },
  };
}

type Command = CommandStartedEvent | CommandEndedEvent;

function commandValues(event: Command): NonNullable<Told["values"]> {
  const { program, terminal } = event;
  return {
    number: event.number,
    channel: event.channel,
    via: event.via,
    redacted: event.redacted,
    guarded: event.guarded,
    terminal: terminal?.term,
    program: program?.name,
    "program.direction": program?.direction,
    "program.path": program?.path,
  };
}

function commandStarted(event: CommandStartedEvent): Told {
  const { text, cutFrom } = boundedText(event.text, event.bytes);
  const refused = event.refused === true;
  return {
    code: event.type,
    activity: refused ? REFUSE : "Command",
    severity: refused ? "low" : "informational",
    status: refused ? "failure" : "success",
    message: `${event.via} ${event.number} started`,
    values: commandValues(event),
    texts: text === "" ? {} : { command: text },
    cutFrom,
    ...(refused && { fields: CONTROLS.blocked }),
  };
}

const COMMAND_STATUS: Readonly<Record<CommandEndedEvent["outcome"], Status>> = {
  exited: "success",
  signalled: "failure",
  refused: "failure",
  failed: "failure",
  unknown: "unknown",
};

function commandEnded(event: CommandEndedEvent): Told {
  const { text, cutFrom } = boundedText(event.text, event.bytes);
  const { outcome, status, stdin, stdout, stderr } = event;
  const refused = outcome === "refused";
  const failed = outcome === "exited" && status !== undefined && status !== 0;
  return {
    code: event.type,
    activity: refused ? REFUSE : "Command",
    severity: refused ? "low" : "informational",
    status: failed ? "failure" : COMMAND_STATUS[outcome],
    message: `${event.via} ${event.number}: ${outcome}`,
    values: {
      ...commandValues(event),
      outcome,
      "exit.status": status,
      "exit.signal": event.signal,
      stdin,
      stdout,
      stderr,
    },
    texts: text === "" ? {} : { command: text },
    cutFrom,
    fields: {
      ...(refused && CONTROLS.blocked),
      traffic: { bytes: stdin + stdout + stderr, bytes_in: stdin, bytes_out: stdout + stderr },
      ...(event.duration !== undefined && { duration: Math.round(event.duration / 1000) }),
      ...(status !== undefined && { status_code: String(status) }),
      ...(event.message !== undefined && { status_detail: words(event.message) }),
    },
  };
}

function fileTold(event: FileEvent): Told {
  const { read, written, operation, status } = event;
  const path = boundedText(event.path);
  const moved = written ?? read;
  const refused = event.refused === true;
  const outcome = status === "ok" ? "success" : status === "unknown" ? "unknown" : "failure";
  return {
    code: event.type,
    activity: refused ? REFUSE : TRAFFIC,
    severity: refused ? "low" : "informational",
    status: refused ? "failure" : outcome,
    message: `${event.via} ${operation} ${event.path}`,
    values: {
      channel: event.channel,
      via: event.via,
      operation,
      to: event.to,
      "read.bytes": read?.bytes,
      "read.offset": read?.offset,
      "written.bytes": written?.bytes,
      "written.offset": written?.offset,
    },
    cutFrom: path.cutFrom,
    fields: {
      ...(refused && CONTROLS.blocked),
      file: { name: nameOf(path.text), path: path.text, type_id: fileType(operation), ...hashesOf(moved) },
      ...(moved !== undefined && {
        traffic: {
          bytes: (read?.bytes ?? 0) + (written?.bytes ?? 0),
          bytes_in: written?.bytes ?? 0,
          bytes_out: read?.bytes ?? 0,
        },
      }),
      ...(event.duration !== undefined && { duration: Math.round(event.duration / 1000) }),
      status_detail: words(event.message ?? status),
    },
  };
}

/** The last part of a path; of one that has none, all of it: the schema wants a name. */
function nameOf(path: string): string {
  return path.split("/").findLast((part) => part !== "") ?? (path || "/");
}

function fileType(operation: FileEvent["operation"]): number {
  if (FOLDER_OPERATIONS.has(operation)) return FOLDER;
  return FILE_OPERATIONS.has(operation) ? REGULAR_FILE : UNKNOWN_FILE;
}

function hashesOf(moved: MovedBytes | undefined): Pick<NonNullable<OcsfFields["file"]>, "hashes"> {
  if (moved?.sha256 === undefined) return {};
  return { hashes: [{ algorithm_id: SHA_256, algorithm: "SHA-256", value: moved.sha256 }] };
}

function forwardTold(event: ForwardEvent): Told {
  const { outcome, host, port, path } = event;
  const listens = event.type === "forward-listening";
  const refused = outcome === "refused";
  const activity = refused ? REFUSE : outcome === "failed" ? FAIL : listens ? LISTEN : CLOSE;
  return {
    code: event.type,
    activity,
    severity: refused ? "low" : "informational",
    status: outcome === "done" ? "success" : outcome === "unknown" ? "unknown" : "failure",
    message: `the target ${listens ? "is to listen" : "no longer listens"} at ${path ?? `${host ?? ""}:${port ?? 0}`}`,
    values: { outcome, host, port, path },
    ...(refused && { fields: CONTROLS.blocked }),
  };
}
