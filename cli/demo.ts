import { performance } from "node:perf_hooks";
import { asSallyportError } from "../core/errors.ts";
import { DEMO_PASSWORD, DEMO_PEOPLE } from "../local/demo-people.ts";
import { showAddress } from "./address.ts";
import type { Api } from "./api-client.ts";
import { verificationView } from "./api-views.ts";
import type { DemoFlags } from "./commands/demo.ts";
import {
  closedSession,
  newPass,
  recordedStatements,
  type Seen,
  sees,
  signedIn,
  workAsApplication,
  workWithDriver,
  workWithPsql,
} from "./demo-acts.ts";
import { APPLICATION_SCRIPT, differs, type Scripted, SHOP_SCRIPT } from "./demo-script.ts";
import { DEMO_CONNECTION, type DemoStage, setDemoStage } from "./demo-stage.ts";
import { EXIT } from "./exit-status.ts";
import { findProgram, howToInstallPsql } from "./psql.ts";
import { untilStopped } from "./until-stopped.ts";

/** Rows of each result that the replay shows. */
const SHOWN_ROWS = 3;

/**
 * Shows the main job at work, and checks every step of it.
 * @returns the exit status: 0 if every step did what it should
 */
export async function runDemo(flags: DemoFlags): Promise<number> {
  const began = performance.now();
  say("Sallyport demo: a shop's database behind a gateway, all on this machine.\n");
  const stage = await setDemoStage(flags);
  const checks = newChecks();
  try {
    introduce(stage);
    await play(stage, checks);
  } catch (thrown) {
    checks.note("the demo ran to its end", asSallyportError(thrown, "internal", String(thrown)).message);
  }
  const status = report(checks, stage, performance.now() - began);
  if (flags.once !== true) {
    invite(stage);
    await untilStopped(say);
  }
  await stage.close();
  return status;
}

function introduce({ running, postgres, version, shopRows }: DemoStage): void {
  say(`  PostgreSQL ${version.padEnd(8)}  ${showAddress(postgres)}, a shop of ${shopRows.toLocaleString("en")} rows`);
  say(`  gateway              ${showAddress(running.gateway)}, TLS`);
  say(`  pages and API        ${running.url}`);
  say(`  identity provider    ${running.issuer}\n`);
}

async function play(stage: DemoStage, checks: Checks): Promise<void> {
  const alice = await signedIn(stage, "alice");
  checks.note("alice signs in by OIDC: authorization code and PKCE");
  const pass = await newPass(alice);
  checks.note("she gets a pass for the shop");
  const psql = findProgram("psql");
  const client = psql === undefined ? "node-postgres" : "psql";
  if (psql === undefined) say(`psql is not installed here, so node-postgres takes its place. ${howToInstallPsql()}\n`);
  const seen = await (psql === undefined ? workWithDriver(stage, pass) : workWithPsql(psql, stage, pass));
  checks.note(
    `she works in the shop with ${client}, through the gateway, over TLS`,
    wrongSight(seen, SHOP_SCRIPT, /permission denied for table employees/),
  );
  const first = await closedSession(alice, 1);
  await replay(stage, alice, first, SHOP_SCRIPT, checks);
  const served = await workAsApplication(stage, pass);
  checks.note("an application runs a prepared statement with bound parameters", wrongSight(served, APPLICATION_SCRIPT));
  const second = await closedSession(alice, 2);
  await replay(stage, alice, second, APPLICATION_SCRIPT, checks);
  const parameters = (await recordedStatements(alice, second)).map((one) =>
    one.parameters?.map(({ value }) => value).join(),
  );
  checks.note(
    "its parameters are recorded",
    parameters.join(" ") === "20,1 99.5,10" ? undefined : `as ${parameters.join(" ")}`,
  );
  const auditor = await sees(await signedIn(stage, "carol"), first);
  checks.note("carol, an auditor, sees alice's session", auditor ? undefined : "she does not");
  const approver = await sees(await signedIn(stage, "bob"), first);
  checks.note("bob, who is none, does not", approver ? "he does" : undefined);
}

/** What is wrong with what a client saw. */
function wrongSight(seen: Seen, script: readonly Scripted[], error?: RegExp): string | undefined {
  const rows = script.reduce((sum, one) => sum + one.rows, 0);
  if (seen.rows !== rows) return `the client got ${seen.rows} rows, not ${rows}`;
  const wanted = error === undefined ? 0 : 1;
  const right = seen.errors.length === wanted && seen.errors.every((text) => error?.test(text) === true);
  return right ? undefined : `the client was told: ${seen.errors.join(" ") || "no error"}`;
}

/** Prints what happened in a session, and checks it statement by statement. */
async function replay(
  stage: DemoStage,
  api: Api,
  session: string,
  script: readonly Scripted[],
  checks: Checks,
): Promise<void> {
  const path = `/api/sessions/${session}`;
  const text = await api.text({ path: `${path}/transcript?rows=${SHOWN_ROWS}` });
  const link = `${stage.running.url}/sessions/${session}`;
  say(`Replay of ${link}\n`);
  say(text.replace(/^(?=.)/gm, "  | "));
  const recorded = await recordedStatements(api, session);
  for (const [n, expected] of script.entries())
    checks.note(`recorded: ${expected.what} (${expected.ends})`, differs(expected, recorded[n]));
  checks.note(
    "nothing else is recorded",
    recorded.length === script.length ? undefined : `${recorded.length} statements`,
  );
  const { ok, chunks, fault } = await api.json({ path: `${path}/verify` }, verificationView);
  checks.note(
    `the recording verifies: hash chain (${chunks} chunks) and signature`,
    ok ? undefined : (fault?.message ?? "it does not"),
  );
}

interface Checks {
  /** @param fault what is wrong; undefined where nothing is */
  note(what: string, fault?: string): void;
  readonly all: readonly { readonly what: string; readonly fault: string | undefined }[];
}

function newChecks(): Checks {
  const all: { what: string; fault: string | undefined }[] = [];
  return { all, note: (what, fault) => void all.push({ what, fault }) };
}

function report({ all }: Checks, { folder }: DemoStage, took: number): number {
  say("Checked:");
  for (const { what, fault } of all) say(fault === undefined ? `  ok    ${what}` : `  FAIL  ${what}: ${fault}`);
  const failed = all.filter(({ fault }) => fault !== undefined).length;
  const seconds = (took / 1000).toFixed(1);
  say(
    failed === 0
      ? `\nAll ${all.length} steps did what they should, in ${seconds} s.`
      : `\n${failed} of ${all.length} steps did not. The log: ${folder.log}`,
  );
  return failed === 0 ? EXIT.ok : EXIT.failure;
}

function invite({ running, caFile }: DemoStage): void {
  const { host, port } = running.gateway;
  const people = DEMO_PEOPLE.map(({ sub, groups }) => `${sub} (${groups.join(", ")})`).join(", ");
  say(`
Try it yourself, in another terminal:

  npx sallyport login --server ${running.url}
  npx sallyport psql ${DEMO_CONNECTION}
  npx sallyport sessions

Or without our command line; the password is a pass, from ${running.url} or \`npx sallyport pass ${DEMO_CONNECTION}\`:

  psql "host=${host} port=${port} dbname=${DEMO_CONNECTION} sslmode=verify-full sslrootcert=${caFile} user=alice"

People: ${people}; everyone's password is ${DEMO_PASSWORD}
Ctrl-C ends the demo.`);
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
