import { Command } from "commander";
import type { Api } from "../api-client.ts";
import { eventsView, sessionsView, sessionView, statementsView } from "../api-views.ts";
import { asks } from "../context.ts";
import { moment } from "../output.ts";
import { wholeNumber } from "../whole-number.ts";

const MAX_LISTED = 1_000;
const MAX_ROWS = 50;
/** Statements of one request. */
const PAGE = 500;

export function sessionsCommand(): Command {
  const command = new Command("sessions")
    .description("recorded sessions, newest first: your own, or everybody's for an auditor")
    .option("--connection <name>", "on this connection")
    .option("--person <id>", "of this person, by the id that `sallyport whoami --json` tells them")
    .option("--from <time>", "begun at this time or later, such as 2026-11-22 or 2026-11-22T10:15Z")
    .option("--to <time>", "begun before this time")
    .option("--live", "still open")
    .option("--closed", "over")
    .option("--after <session>", "older than this session: the `next` of the list before")
    .option("--limit <n>", `how many, at most ${MAX_LISTED}`, wholeNumber(1, MAX_LISTED), 20);
  return asks(command, async ({ out, api }, self) => {
    const { sessions, next } = await api().json({ path: `/api/sessions?${queryOf(self).toString()}` }, sessionsView);
    if (out.json) return out.value({ sessions, next });
    const rows = sessions.map((one) => [
      one.id,
      moment(one.startedAt),
      [one.principal.name, ...one.actors].join(" through "),
      one.connection,
      one.statements === null ? "" : String(one.statements),
      one.reason ?? "live",
    ]);
    out.table(["SESSION", "STARTED", "WHO", "CONNECTION", "STATEMENTS", "STATE"], rows, "There is no such session.");
    if (next !== null) out.note(`Older ones: --after ${next}`);
  });
}

function queryOf(command: Command): URLSearchParams {
  const { live, closed, ...asked } = command.opts<Readonly<Record<string, string | boolean | number | undefined>>>();
  const query = new URLSearchParams();
  for (const name of ["connection", "person", "from", "to", "after", "limit"])
    if (asked[name] !== undefined) query.set(name, String(asked[name]));
  if (live !== closed) query.set("live", String(live === true));
  return query;
}

export function replayCommand(): Command {
  const command = new Command("replay")
    .description("what happened in a session, as text")
    .argument("<session>", "its id, as `sallyport sessions` shows it")
    .option(
      "--rows <n>",
      `show the first rows of each result, or lines that each command wrote, at most ${MAX_ROWS}`,
      wholeNumber(0, MAX_ROWS),
      0,
    );
  return asks(command, async ({ out, api }, self) => {
    const path = pathOf(self);
    const { rows } = self.opts<{ rows: number }>();
    if (out.json) return out.copy(replayJson(api(), path));
    const { body } = await api().stream({ path: `${path}/transcript?rows=${rows}` });
    if (body !== null) await out.copy(body);
  }).addHelpText(
    "after",
    "\nWith --json: {session, statements}, of an SSH session {session, events}, as long as the session is.",
  );
}

/** A session may have more in it than fits into memory: it is printed page by page. */
async function* replayJson(api: Api, path: string): AsyncGenerator<string, void> {
  const session = await api.json({ path }, sessionView);
  const kind = session.protocol === "ssh" ? "events" : "statements";
  yield `{"session":${JSON.stringify(session)},"${kind}":[`;
  let first = true;
  for (let after: number | null = 0; after !== null;) {
    const page = await pageOf(api, kind, `${path}/${kind}?after=${after}&limit=${PAGE}`);
    for (const item of page.items) {
      yield `${first ? "" : ","}${JSON.stringify(item)}`;
      first = false;
    }
    after = page.next;
  }
  yield "]}\n";
}

/** The items of one page, and where the next one starts. */
async function pageOf(
  api: Api,
  kind: "events" | "statements",
  path: string,
): Promise<{ items: unknown[]; next: number | null }> {
  if (kind === "statements") {
    const { statements, next } = await api.json({ path }, statementsView);
    return { items: statements, next };
  }
  const { events, next } = await api.json({ path }, eventsView);
  return { items: events, next };
}

/** The path of the session that is the command's first argument. */
export function pathOf(command: Command): string {
  return `/api/sessions/${encodeURIComponent(command.args[0] ?? "")}`;
}
