import { mkdir, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { SessionEvent } from "../core/recording/events.ts";
import { plainText } from "../core/recording/terminal-text.ts";
import type { Api } from "./api-client.ts";
import { eventsView } from "./api-views.ts";
import { closedSession, newPass } from "./demo-acts.ts";
import { approveByMail } from "./demo-approver.ts";
import { type Checks, noteVerified, quoted, say, showReplay } from "./demo-checks.ts";
import { type CommandSeen, connectBySsh, type SshWorker } from "./demo-ssh-client.ts";
import {
  BLOCKED_COMMAND,
  COMMAND,
  differsFrom,
  HELD_COMMAND,
  KEPT_SESSIONS,
  type ScriptedCommand,
  TERMINAL,
  TYPED,
  WEB_FILES,
} from "./demo-ssh-script.ts";
import { type DemoStage, WEB_CONNECTION } from "./demo-stage.ts";
import { exportCasts } from "./exported-casts.ts";
import { exportSession } from "./exported-files.ts";
import { PRIVATE_FOLDER } from "./private-files.ts";

const WORDS = "They expired last week, go ahead.";
/** More than the terminal of the demo shows. */
const MAX_LINES = 50;

/** The shop's web server by SSH: a command, one that is blocked, one that waits for bob's consent, a terminal; and their replay. */
export async function playSsh(stage: DemoStage, alice: Api, checks: Checks): Promise<void> {
  const worker = await connectBySsh(stage, await newPass(alice, WEB_CONNECTION));
  checks.note("she connects to the shop's web server by SSH, through the gateway, by its host key");
  checks.note("a command runs there", wrongCommand(await worker.run(COMMAND.text), COMMAND));
  const blocked = wrongCommand(await worker.run(BLOCKED_COMMAND.text), BLOCKED_COMMAND);
  checks.note("`rm -rf ~` is blocked: she is told why, with status 126", blocked);
  await playHeld(stage, worker, checks);
  const shown = stage.web.terminals ? await playTerminal(worker, checks) : undefined;
  worker.end();
  const session = await closedSession(alice, 1, WEB_CONNECTION);
  await noteRecord(stage, alice, session, checks);
  if (shown === undefined)
    say("There is no terminal to show: util-linux's script(1), which makes them, is not here.\n");
  else await noteTerminal(stage, alice, session, shown, checks);
}

async function playHeld(stage: DemoStage, worker: SshWorker, checks: Checks): Promise<void> {
  const there = (): Promise<string[]> => readdir(join(stage.web.home, "sessions"));
  const all = (await there()).length;
  let meanwhile = 0;
  const asked = async (): Promise<void> => void (meanwhile = (await there()).length);
  const [seen, mail] = await Promise.all([
    worker.run(HELD_COMMAND.text),
    approveByMail(stage, "bob", { about: HELD_COMMAND.text, words: WORDS, asked }),
  ]);
  say("The mail to bob that asks for consent to a command:\n");
  say(quoted(mail));
  checks.note("a command that does not tell what it removes waits", wrongCommand(seen, HELD_COMMAND));
  checks.note("until bob has consented nothing is removed", meanwhile === all ? undefined : `${meanwhile} of ${all}`);
  const kept = (await there()).toSorted().join();
  checks.note("after that it runs", kept === KEPT_SESSIONS.join() ? undefined : `there is still ${kept}`);
}

async function playTerminal(worker: SshWorker, checks: Checks): Promise<string> {
  const shown = await worker.type(TYPED, TERMINAL);
  const right = shown.includes(KEPT_SESSIONS.join("  ")) && shown.includes(lastOf(WEB_FILES["access.log"]));
  checks.note("a shell runs on a terminal", right ? undefined : `it showed ${JSON.stringify(shown)}`);
  return shown;
}

function wrongCommand({ status, output, errors }: CommandSeen, expected: ScriptedCommand): string | undefined {
  const said = `${output}${errors}`;
  if (status !== expected.status) return `it ended with status ${status ?? "unknown"}: ${said}`;
  return expected.says.test(said) ? undefined : `it said ${JSON.stringify(said)}`;
}

function lastOf(text: string): string {
  return text.trimEnd().split("\n").at(-1) ?? "";
}

async function noteRecord(stage: DemoStage, api: Api, session: string, checks: Checks): Promise<void> {
  const text = await showReplay(stage, api, session, MAX_LINES);
  const { events } = await api.json({ path: `/api/sessions/${session}/events?limit=1000` }, eventsView);
  const ended = (events as unknown as { event: SessionEvent }[])
    .flatMap(({ event }) => (event.type === "command-ended" ? [event] : []))
    .toSorted((one, other) => one.number - other.number);
  for (const [n, expected] of [COMMAND, BLOCKED_COMMAND, HELD_COMMAND].entries())
    checks.note(`recorded: ${expected.what}`, differsFrom(expected, ended[n]));
  const all = stage.web.terminals ? 4 : 3;
  checks.note("nothing else is recorded", ended.length === all ? undefined : `${ended.length} commands`);
  checks.note("the record says who consented to the command", text.includes(WORDS) ? undefined : "it does not");
  await noteVerified(api, session, checks);
}

/** The terminal's replay, from the recording's files alone. */
async function noteTerminal(
  { folder: { exported } }: DemoStage,
  api: Api,
  session: string,
  shown: string,
  checks: Checks,
): Promise<void> {
  await mkdir(exported, { mode: PRIVATE_FOLDER });
  const [file = ""] = await exportCasts(exported, await exportSession(api, `/api/sessions/${session}`, exported));
  const [header, ...events] = (await readFile(file, "utf8"))
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as unknown);
  const output = (events as [number, string, string][]).filter(([, code]) => code === "o").map(([, , text]) => text);
  const { version, term } = header as { version: number; term: { cols: number; rows: number } };
  say(`Its terminal, as it was seen (asciinema play ${file}):\n`);
  say(quoted(`${plainText(output.join(""), MAX_LINES).lines.join("\n")}\n`));
  const right = version === 3 && term.cols === TERMINAL.cols && term.rows === TERMINAL.rows;
  checks.note(
    "its terminal is replayed as asciicast v3, as she saw it",
    right && output.join("") === shown ? undefined : "it is not",
  );
}
