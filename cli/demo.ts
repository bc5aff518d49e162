import { performance } from "node:perf_hooks";
import { asSallyportError } from "../core/errors.ts";
import { DEMO_PEOPLE } from "../local/demo-people.ts";
import { showAddress } from "./address.ts";
import type { DemoFlags } from "./commands/demo.ts";
import {
  closedSession,
  newPass,
  recordedStatements,
  sees,
  signedIn,
  workAsApplication,
  type Worker,
  workWithDriver,
  workWithPsql,
} from "./demo-acts.ts";
import { type Checks, newChecks, replay, say, wrongSight } from "./demo-checks.ts";
import { playGuarded } from "./demo-guarded.ts";
import { APPLICATION_SCRIPT, SHOP_SCRIPT } from "./demo-script.ts";
import { playSsh } from "./demo-ssh.ts";
import { DEMO_CONNECTION, type DemoStage, setDemoStage, WEB_CONNECTION } from "./demo-stage.ts";
import { EXIT } from "./exit-status.ts";
import { findProgram } from "./foreground.ts";
import { howToInstallPsql } from "./psql.ts";
import { untilStopped } from "./until-stopped.ts";

/**
 * Shows the main job at work, and checks every step of it.
 * @returns the exit status: 0 if every step did what it should
 */
export async function runDemo(flags: DemoFlags): Promise<number> {
  const began = performance.now();
  say("Sallyport demo: a shop's database and its web server behind a gateway, all on this machine.\n");
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

function introduce({ running, postgres, web, version, shopRows }: DemoStage): void {
  say(`  PostgreSQL ${version.padEnd(8)}  ${showAddress(postgres)}, a shop of ${shopRows.toLocaleString("en")} rows`);
  say(`  web server           ${showAddress(web)}, by SSH; its commands run on this machine, in ${web.home}`);
  say(`  gateway              ${showAddress(running.gateway)}, TLS; port ${running.gateway.ssh?.port ?? 0} for SSH`);
  say(`  pages and API        ${running.url}`);
  say(`  identity provider    ${running.issuer}\n`);
}

async function play(stage: DemoStage, checks: Checks): Promise<void> {
  const alice = await signedIn(stage, "alice");
  checks.note("alice signs in by OIDC: authorization code and PKCE");
  const pass = await newPass(alice, DEMO_CONNECTION);
  checks.note("she gets a pass for the shop");
  const worker = workerOf();
  checks.note(
    `she works in the shop with ${worker.name}, through the gateway, over TLS`,
    wrongSight(await worker.work(stage, pass, SHOP_SCRIPT), SHOP_SCRIPT, /permission denied for table employees/),
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
  await playGuarded(stage, alice, checks, (script) => worker.work(stage, pass, script));
  await playSsh(stage, alice, checks);
  const auditor = await sees(await signedIn(stage, "carol"), first);
  checks.note("carol, an auditor, sees alice's session", auditor ? undefined : "she does not");
  const approver = await sees(await signedIn(stage, "bob"), first);
  checks.note("bob, who is none, does not", approver ? "he does" : undefined);
}

function workerOf(): { readonly name: string; readonly work: Worker } {
  const psql = findProgram("psql");
  if (psql !== undefined) return { name: "psql", work: workWithPsql(psql) };
  say(`psql is not installed here, so node-postgres takes its place. ${howToInstallPsql()}\n`);
  return { name: "node-postgres", work: workWithDriver };
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

function invite({ running, folder, caFile, password, web }: DemoStage): void {
  const { host, port, ssh } = running.gateway;
  const people = DEMO_PEOPLE.map(({ sub, groups }) => `${sub} (${groups.join(", ")})`).join(", ");
  say(`
Try it yourself, in another terminal:

  npx sallyport login --server ${running.url}
  npx sallyport psql ${DEMO_CONNECTION}
  npx sallyport ssh ${WEB_CONNECTION}
  npx sallyport sessions

Or without our command line; the password is a pass, from ${running.url} or \`npx sallyport pass ${DEMO_CONNECTION}\`:

  psql "host=${host} port=${port} dbname=${DEMO_CONNECTION} sslmode=verify-full sslrootcert=${caFile} user=alice"

And ssh, which needs no pass, since it shows a link to sign in by:

  ssh -o UserKnownHostsFile=${folder.knownHosts} -p ${ssh?.port ?? 0} ${WEB_CONNECTION}@${host}

What you run on ${WEB_CONNECTION} runs on this machine, in ${web.home}: what policy lets through is real.

People: ${people}; everyone's password is ${password}
Ctrl-C ends the demo.`);
}
