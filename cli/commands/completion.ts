import { Argument, Command } from "commander";
import { connectionsView } from "../api-views.ts";
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
    const candidates = await complete(program, words, { connections });
    process.stdout.write(candidates.map((candidate) => `${candidate}\n`).join(""));
  });
}

async function connections(): Promise<string[]> {
  try {
    const { api } = await contextOf({});
    const answer = await api().json({ path: "/api/connections", timeoutMs: TIMEOUT_MS }, connectionsView);
    return answer.connections.map(({ name }) => name);
  } catch {
    return [];
  }
}
