import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { bundleFunction, type FunctionName, FUNCTIONS } from "../infra/bundling.ts";
import { apiEvent } from "../test/functions/api-events.ts";
import { startAccount } from "../test/setup/account.ts";
import { runBundle } from "../test/setup/bundle-run.ts";

/** What each function is asked first. A stranger's request does all that a start does. */
const EVENTS: Readonly<Record<FunctionName, unknown>> = {
  auth: apiEvent({ path: "/api/me" }),
  approvals: apiEvent({ path: "/api/approvals" }),
  replay: apiEvent({ path: "/api/sessions" }),
  config: apiEvent({ path: "/api/config/versions" }),
  configDeployed: undefined,
  notify: { Records: [] },
  audit: { Records: [] },
  deploySecrets: undefined,
  scheduled: {},
};
/** Of which the median is told. `scheduled` watches leases for the second that `test/setup/account.ts` gives it. */
const RUNS = 5;

/** Prints the sizes of the bundles, and how long each takes to be imported and to answer first, in a new process. */
async function main(): Promise<void> {
  const folder = await mkdtemp(path.join(tmpdir(), "sallyport-bundles-"));
  const account = await startAccount();
  try {
    const rows = [];
    for (const name of Object.keys(FUNCTIONS) as FunctionName[]) {
      const { folder: built, bytes, laterBytes } = bundleFunction(name, path.join(folder, name));
      const event = EVENTS[name];
      const runs = [];
      for (let n = 0; n < (event === undefined ? 0 : RUNS); n++)
        runs.push(await runBundle(built, account.environment, event));
      const median = (of: readonly number[]): number | null =>
        of.length === 0 ? null : Math.round(of.toSorted((one, other) => one - other)[of.length >> 1] ?? 0);
      rows.push({
        function: name,
        startBytes: bytes,
        laterBytes,
        importMs: median(runs.map(({ importMs }) => importMs)),
        firstAnswerMs: median(runs.map(({ answerMs }) => answerMs)),
      });
    }
    console.table(rows);
    console.log(JSON.stringify({ node: process.version, runs: RUNS, bundles: rows }));
  } finally {
    await account.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

await main();
