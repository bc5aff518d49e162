import { SallyportError } from "../errors.ts";
import type {
  ApprovalEvent,
  BoundParameter,
  SessionEvent,
  SessionOpenedEvent,
  StatementEvent,
  VerdictEvent,
} from "./events.ts";
import { formatDuration, formatInstant, formatOffset, INDENT, said } from "./line-format.ts";
import type { RecordedEvent } from "./reader.ts";
import type { CommandEndedEvent } from "./ssh-events.ts";
import { sshLines } from "./ssh-transcript.ts";
import { type ResultTable, tableLines } from "./table.ts";
import { typeName } from "./type-names.ts";
import { visible, visibleLines } from "./visible.ts";

export interface TranscriptOptions {
  /** The session goes on: the transcript ends where the recording does for now. */
  readonly live?: boolean | undefined;
  /** The first rows of each result of a statement, to be shown as tables. */
  readonly rows?: ((statement: StatementEvent) => Promise<readonly ResultTable[]>) | undefined;
  /** The first lines of what a command wrote, harmless to a terminal. */
  readonly output?: ((command: CommandEndedEvent) => Promise<readonly string[]>) | undefined;
}

/**
 * The text of a session, line by line, without line ends. A terminal shows every line as it is: nothing that was recorded
 * can control it. Where the recording is broken a last line says how, and then `recording-corrupt` is thrown.
 */
export async function* transcript(
  events: AsyncIterable<RecordedEvent>,
  options: TranscriptOptions = {},
): AsyncGenerator<string, void> {
  let last: SessionEvent | undefined;
  try {
    for await (const { event, micros } of events) {
      if (!last && event.type !== "session-opened") yield "!! The recording does not tell how the session was opened.";
      yield* eventLines(event, micros);
      if (event.type === "statement" && options.rows) yield* tablesOf(await options.rows(event));
      if (event.type === "command-ended" && options.output)
        yield* (await options.output(event)).map((line) => INDENT + line);
      last = event;
    }
  } catch (thrown) {
    if (thrown instanceof SallyportError) yield `!! The recording cannot be read further: ${visible(thrown.message)}.`;
    throw thrown;
  }
  if (last?.type === "session-closed") return;
  if (options.live)
    yield last ? "… the session is live: so far for now." : "… the session is live, and nothing is stored yet.";
  else
    yield last
      ? "!! The recording ends without telling how the session closed."
      : "!! Nothing of this session is stored.";
}

/** The lines of one event; the first of them is empty where it stands apart from what is above it. */
export function eventLines(event: SessionEvent, micros: number): string[] {
  const at = formatOffset(micros);
  switch (event.type) {
    case "session-opened":
      return openedLines(event);
    case "statement":
      return statementLines(event);
    case "notice":
    case "error":
      return said(`${at}  ${event.type}`, `${event.severity} ${event.sqlstate}: ${event.message}`);
    case "notification":
      return said(`${at}  notification`, `${event.channel} (from process ${event.processId}): ${event.payload}`);
    case "cancel-requested":
      return said(`${at}  cancel requested`, `from ${event.from}`);
    case "verdict":
      return verdictLines(event, at);
    case "approval":
      return approvalLines(event, at);
    case "masked":
      return said(`${at}  masked`, maskedValues(event.values));
    case "gap":
      return said(`!! ${at}  ${event.frames} frames are missing`, event.message);
    case "session-closed":
      return said(`${at}  closed: ${visible(event.reason)}`, event.message ?? "");
    case "channel-opened":
    case "channel-closed":
    case "command-started":
    case "command-ended":
    case "window-changed":
    case "environment":
    case "signal":
    case "file":
    case "forward-listening":
    case "forward-cancelled":
    case "jump":
    case "not-followed":
      return sshLines(event, at);
  }
}

function maskedValues(values: Readonly<Record<string, number>>): string {
  return Object.entries(values)
    .map(([rule, count]) => `${rule} ${count}`)
    .join(", ");
}

function verdictLines(event: VerdictEvent, at: string): string[] {
  const what = event.kind === "block" ? "blocked" : "held for consent";
  const policies = `by ${event.policies.map(visible).join(", ") || "no policy that permits it"}`;
  const consents = (event.consents ?? []).map(({ group, count }) => `${count} of ${visible(group)}`).join(" and ");
  const lines = said(`${at}  ${event.about} ${what} ${policies}`, event.reason);
  if (consents !== "") lines.push(`${INDENT}asked of ${consents}, request ${visible(event.approval ?? "?")}`);
  return lines;
}

function approvalLines(event: ApprovalEvent, at: string): string[] {
  const voices = event.by.map(({ name, id, words }) => `${name} (${id})${words === "" ? "" : `: ${words}`}`);
  return said(`${at}  request ${visible(event.approval)} ${event.outcome}`, voices.join("\n"));
}

function openedLines(event: SessionOpenedEvent): string[] {
  const { principal, target } = event;
  const database = target.database === undefined ? "" : `/${target.database}`;
  const settings = Object.entries(event.settings).map(([name, value]) => `${name}=${value}`);
  const rows: [string, string][] = [
    ["Session", event.session],
    ["Who", `${principal.kind === "service" ? "service " : ""}${principal.name} (${principal.id})`],
    ...(principal.actors === undefined ? [] : [["Through", principal.actors.join(", for ")] as [string, string]]),
    ["Groups", principal.groups.join(", ") || "none"],
    ["Pass", event.pass],
    ["Connection", event.connection],
    ["Target", `${event.protocol}://${target.user}@${target.host}:${target.port}${database}`],
    ["Client", event.client],
    ["Settings", settings.join(", ") || "none"],
    ["Durability", event.durability],
    ...(event.unrecordedBy === undefined
      ? []
      : [["Recording", `none, by policy ${event.unrecordedBy}`] as [string, string]]),
    ...(event.masking === undefined ? [] : [["Masking", maskingOf(event.masking)] as [string, string]]),
    ["Started", formatInstant(event.startedAt)],
  ];
  return rows.map(([label, value]) => `${label.padEnd(12)}${visible(value)}`);
}

function maskingOf({ version, unmaskedBy }: NonNullable<SessionOpenedEvent["masking"]>): string {
  const rules = `rules ${version.slice(0, 12)}`;
  return unmaskedBy === undefined ? rules : `${rules}; the client saw everything, by ${unmaskedBy}`;
}

function statementLines(event: StatementEvent): string[] {
  const asked = [`#${event.number}`, formatOffset(event.askedAt)];
  if (event.duration !== undefined) asked.push(formatDuration(event.duration));
  if (event.via !== "simple") asked.push(event.via);
  if (event.prepared) asked.push(`statement ${visible(event.prepared)}`);
  if (event.portal) asked.push(`portal ${visible(event.portal)}`);
  if (event.redacted) asked.push("secrets replaced");
  const text = visibleLines(event.text);
  if (event.bytes !== undefined) text.push(`… cut: ${event.bytes} bytes on the wire`);
  const theirs = [...text, ...parameterLines(event)].map((line) => INDENT + line);
  return ["", asked.join("  "), ...theirs, outcomeLine(event)];
}

/** A statement's bound parameters, a line each. */
export function parameterLines({ parameters = [], parameterCount }: StatementEvent): string[] {
  const lines = parameters.map((parameter, n) => `$${n + 1} ${formatParameter(parameter)}`);
  const more = (parameterCount ?? 0) - parameters.length;
  return more > 0 ? [...lines, `… and ${more} more parameters`] : lines;
}

/** Such as `int4 = 42`, `text = 'O''Neil'`, `text = NULL`. */
function formatParameter({ type, value, bytes }: BoundParameter): string {
  if (value === null) return `${typeName(type)} = NULL`;
  const cut = bytes === undefined ? "" : `… cut: ${bytes} bytes on the wire`;
  return `${typeName(type)} = '${visible(value).replaceAll("'", "''")}'${cut}`;
}

/** What became of a statement, such as `SELECT 3, 3 rows`, in one line. */
export function formatOutcome(event: StatementEvent): string {
  const parts: string[] = [];
  switch (event.outcome) {
    case "completed":
      parts.push(event.tag ?? "completed");
      break;
    case "failed":
      parts.push(`${event.sqlstate ?? "error"}: ${event.message ?? ""}`);
      break;
    case "suspended":
      parts.push("suspended: the client asked for part of the rows");
      break;
    case "refused":
      parts.push(`refused, ${event.sqlstate ?? "error"}: ${event.message ?? ""}`);
      break;
    case "skipped":
      parts.push("skipped: a statement before it had failed");
      break;
    case "unknown":
      parts.push("unknown: the session ended before it completed");
      break;
  }
  if (event.rows > 0) parts.push(event.rows === 1 ? "1 row" : `${event.rows} rows`);
  if (event.copied) parts.push(`${event.copied.bytes} bytes copied ${event.copied.direction}`);
  return visible(parts.join(", "));
}

function outcomeLine(event: StatementEvent): string {
  return `  ${event.outcome === "completed" ? "=" : "!"} ${formatOutcome(event)}`;
}

function tablesOf(tables: readonly ResultTable[]): string[] {
  return tables.flatMap((table) => tableLines(table).map((line) => INDENT + line));
}
