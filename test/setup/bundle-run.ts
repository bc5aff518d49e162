import { fork } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { BUNDLE_FILE } from "../../infra/bundling.ts";
import { LAMBDA_CONTEXT } from "../functions/api-events.ts";

export interface BundleRun {
  readonly answer: unknown;
  /** What it wrote to standard output. */
  readonly output: string;
  readonly importMs: number;
  readonly answerMs: number;
}

/** What of it is no function: those do not go to another process. */
const CONTEXT = JSON.parse(JSON.stringify(LAMBDA_CONTEXT)) as object;

/** Runs the bundle in a folder on one event, with these variables and none of ours. Rejects where it throws. */
export async function runBundle(
  folder: string,
  environment: Record<string, string>,
  event: unknown,
): Promise<BundleRun> {
  const child = fork(path.join(import.meta.dirname, "bundle-runner.js"), {
    env: { AWS_EC2_METADATA_DISABLED: "true", ...environment },
    silent: true,
    execArgv: [],
  });
  let output = "";
  child.stdout?.on("data", (piece: Buffer) => (output += piece.toString()));
  child.stderr?.on("data", (piece: Buffer) => (output += piece.toString()));
  child.send({ file: path.join(folder, BUNDLE_FILE), event, context: CONTEXT });
  const [told] = (await once(child, "message")) as [{ error?: string } & Omit<BundleRun, "output">];
  // Connections that are kept alive would keep it: Lambda freezes it here.
  child.kill();
  // Not "exit": what it wrote may arrive after that.
  await once(child, "close");
  if (told.error !== undefined) throw new Error(`${told.error}\n${output}`);
  return { ...told, output };
}
