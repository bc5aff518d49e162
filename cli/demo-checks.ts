import { verificationView } from "./api-views.ts";
import type { Api } from "./api-client.ts";
import { recordedStatements, type Seen } from "./demo-acts.ts";
import { differs, type Scripted } from "./demo-script.ts";
import type { DemoStage } from "./demo-stage.ts";

/** Rows of each result that the replay shows. */
const SHOWN_ROWS = 3;

/** What is wrong with what a client saw. */
export function wrongSight(seen: Seen, script: readonly Scripted[], error?: RegExp): string | undefined {
  const rows = script.reduce((sum, one) => sum + one.rows, 0);
  if (seen.rows !== rows) return `the client got ${seen.rows} rows, not ${rows}`;
  const wanted = error === undefined ? 0 : 1;
  const right = seen.errors.length === wanted && seen.errors.every((text) => error?.test(text) === true);
  return right ? undefined : `the client was told: ${seen.errors.join(" ") || "no error"}`;
}

/** Prints what happened in a session, and checks it statement by statement; answers what it printed. */
export async function replay(
  stage: DemoStage,
  api: Api,
  session: string,
  script: readonly Scripted[],
  checks: Checks,
): Promise<string> {
  const text = await showReplay(stage, api, session);
  const recorded = await recordedStatements(api, session);
  for (const [n, expected] of script.entries())
    checks.note(`recorded: ${expected.what} (${expected.ends})`, differs(expected, recorded[n]));
  checks.note(
    "nothing else is recorded",
    recorded.length === script.length ? undefined : `${recorded.length} statements`,
  );
  await noteVerified(api, session, checks);
  return text;
}

/** Prints what happened in a session, with so many rows of each result or lines of output; answers what it printed. */
export async function showReplay(
  { running }: DemoStage,
  api: Api,
  session: string,
  rows = SHOWN_ROWS,
): Promise<string> {
  const text = await api.text({ path: `/api/sessions/${session}/transcript?rows=${rows}` });
  say(`Replay of ${running.url}/sessions/${session}\n`);
  say(quoted(text));
  return text;
}

/** Checks that nothing in a recording was cut or changed. */
export async function noteVerified(api: Api, session: string, checks: Checks): Promise<void> {
  const { ok, chunks, fault } = await api.json({ path: `/api/sessions/${session}/verify` }, verificationView);
  checks.note(
    `the recording verifies: hash chain (${chunks} chunks) and signature`,
    ok ? undefined : (fault?.message ?? "it does not"),
  );
}

/** What somebody else says, set off from what the demo does. */
export function quoted(text: string): string {
  return text.replace(/^(?=.)/gm, "  | ");
}

export interface Checks {
  /** @param fault what is wrong; undefined where nothing is */
  note(what: string, fault?: string): void;
  readonly all: readonly { readonly what: string; readonly fault: string | undefined }[];
}

export function newChecks(): Checks {
  const all: { what: string; fault: string | undefined }[] = [];
  return { all, note: (what, fault) => void all.push({ what, fault }) };
}

export function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
