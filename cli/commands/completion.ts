import { Argument, Command } from "commander";
import type { z } from "zod";
import { approvalsView, connectionsView } from "../api-views.ts";
import { complete, HIDDEN, SCRIPTS, type Shell, SHELLS } from "../complete.ts";
import { contextOf } from "../context.ts";

/** Whoever presses Tab does not wait for a server. */
const TIMEOUT_MS = 1_000;

export function completionCommand(): Command {
  return new Command("completion")
    .description("print what makes your shell complete commands, options and connections")
    .addArgument(new Argument("<shell>").choices(SHELLS))
    .addHelpText("after", '\nFor example, in ~/.bashrc: eval "$(sallyport completion bash)"')
    .action((shell: Shell) => void process.stdout.write(SCRIPTS[shell]));
}

/** What the shells call. It never says that something went wrong: there would be nobody to read it. */
export function completeCommand(program: Command): Command {
  return new Command(HIDDEN).argument("[words...]").action(async (words: string[]) => {
    const candidates = await complete(program, words, { connections, approvals });
    process.stdout.write(candidates.map((candidate) => `${candidate}\n`).join(""));
  });
}

const connections = async (): Promise<string[]> =>
  (await asked("/api/connections", connectionsView))?.connections.map(({ name }) => name) ?? [];

const approvals = async (): Promise<string[]> =>
  (await asked("/api/approvals?waiting=me", approvalsView))?.approvals.map(({ id }) => id) ?? [];

/** Undefined where nobody can tell. */
async function asked<T>(path: string, shape: z.ZodType<T>): Promise<T | undefined> {
  try {
    const { api } = await contextOf({});
    return await api().json({ path, timeoutMs: TIMEOUT_MS }, shape);
  } catch {
    return undefined;
  }
}
