import { formatDuration, INDENT, said } from "./line-format.ts";
import type {
  ChannelClosedEvent,
  ChannelOpenedEvent,
  CommandEndedEvent,
  CommandStartedEvent,
  FileEvent,
  ForwardEvent,
  MovedBytes,
  SshEvent,
} from "./ssh-events.ts";
import { visible, visibleLines } from "./visible.ts";

/** Channels of commands say nothing that their commands do not say better. */
const SESSION = "session";

/** The lines of an event of an SSH session; none where another event tells it. */
export function sshLines(event: SshEvent, at: string): string[] {
  switch (event.type) {
    case "channel-opened":
      return openedLines(event, at);
    case "channel-closed":
      return event.kind === SESSION ? [] : said(`${at}  channel ${event.channel} closed`, closedText(event));
    case "command-started":
      return commandLines(event, at);
    case "command-ended":
      return ["", `${at}  ${event.outcome === "exited" ? "=" : "!"} #${event.number} ${formatEnd(event)}`];
    case "window-changed":
      return said(`${at}  channel ${event.channel} window`, `${event.columns}x${event.rows}`);
    case "environment": {
      const refused = event.refused ? "  refused" : "";
      return said(`${at}  channel ${event.channel} variable${refused}`, `${event.name}=${event.value}`);
    }
    case "signal":
      return said(`${at}  channel ${event.channel} signal${event.refused ? "  refused" : ""}`, event.signal);
    case "file":
      return said(`${at}  ${event.via} ${event.operation}`, formatFile(event));
    case "forward-listening":
    case "forward-cancelled":
      return said(`${at}  forward ${event.type === "forward-listening" ? "asked for" : "cancelled"}`, placeOf(event));
    case "jump":
      return said(`${at}  jump to ${event.host}:${event.port}`, `ends here, at ${event.connections.join(", ")}`);
    case "not-followed":
      return said(`!! ${at}${event.channel === undefined ? "" : `  channel ${event.channel}`}`, event.message);
  }
}

function openedLines(event: ChannelOpenedEvent, at: string): string[] {
  const { kind, from, to, path, failed } = event;
  if (kind === SESSION && failed === undefined) return [];
  const parts = [`${kind} by the ${event.by}`];
  if (from !== undefined) parts.push(`from ${from.host}:${from.port}`);
  if (to !== undefined) parts.push(`to ${to.host}:${to.port}`);
  if (path !== undefined) parts.push(`to ${path}`);
  if (failed !== undefined) parts.push(`${event.refused ? "refused" : "failed"}: ${failed.message}`);
  return said(`${failed === undefined ? "" : "! "}${at}  channel ${event.channel}`, parts.join(", "));
}

function closedText({ kind, by, duration, fromClient, toClient }: ChannelClosedEvent): string {
  const who = by === "session" ? "with the session" : `by the ${by}`;
  return `${kind}, ${who} after ${formatDuration(duration)}: ${fromClient} bytes from the client, ${toClient} to it`;
}

function commandLines(event: CommandStartedEvent, at: string): string[] {
  const asked = [`#${event.number}`, at, event.guarded ? "line" : event.via, `channel ${event.channel}`];
  const { terminal, program } = event;
  if (terminal !== undefined) asked.push(`terminal ${visible(terminal.term)} ${terminal.columns}x${terminal.rows}`);
  if (program !== undefined) asked.push([program.name, program.direction].filter(Boolean).join(" "));
  if (event.redacted) asked.push("secrets replaced");
  const text = event.via === "shell" ? [] : visibleLines(event.text);
  if (event.bytes !== undefined) text.push(`… cut: ${event.bytes} bytes on the wire`);
  return ["", asked.join("  "), ...text.map((line) => INDENT + line)];
}

/** How a command ended, such as `exit 0 after 12.0 ms, 3 bytes in, 100 out, 0 of errors`, in one line. */
export function formatEnd(event: CommandEndedEvent): string {
  const parts = [outcomeText(event)];
  if (event.duration !== undefined) parts[0] += ` after ${formatDuration(event.duration)}`;
  parts.push(`${event.stdin} bytes in`, `${event.stdout} out`, `${event.stderr} of errors`);
  return visible(parts.join(", "));
}

function outcomeText(event: CommandEndedEvent): string {
  switch (event.outcome) {
    case "exited":
      return `exit ${event.status ?? "?"}`;
    case "signalled": {
      const core = event.coreDumped ? ", core dumped" : "";
      return `killed by ${event.signal ?? "a signal"}${core}${event.message === undefined ? "" : ` (${event.message})`}`;
    }
    case "refused":
      return "refused by policy";
    case "failed":
      return "failed: the target did not start it";
    case "unknown":
      return "unknown: nobody said how it ended";
  }
}

/** What an operation on a file was and what came of it, in one line. */
function formatFile(event: FileEvent): string {
  const parts = [event.to === undefined ? event.path : `${event.path} → ${event.to}`];
  if (event.cut) parts[0] += " (cut)";
  const { attributes, read, written } = event;
  if (attributes !== undefined)
    parts.push(
      Object.entries(attributes)
        .map(([name, value]) => `${name} ${name === "permissions" ? value.toString(8) : value}`)
        .join(" "),
    );
  if (read !== undefined) parts.push(`read ${movedText(read)}`);
  if (written !== undefined) parts.push(`wrote ${movedText(written)}`);
  const message = event.message === undefined ? "" : `: ${event.message}`;
  if (event.refused) parts.push(`refused by policy${message}`);
  else if (event.status !== "ok") parts.push(`${event.status}${message}`);
  return parts.join(", ");
}

function movedText({ bytes, offset, sha256 }: MovedBytes): string {
  const from = offset === undefined ? "" : ` from ${offset} on`;
  return `${bytes} bytes${from}, ${sha256 === undefined ? "not in order" : `SHA-256 ${sha256}`}`;
}

function placeOf({ host, port, path, outcome }: ForwardEvent): string {
  return `${path ?? `${host === "" ? "*" : host}:${port}`}: ${outcome}`;
}
