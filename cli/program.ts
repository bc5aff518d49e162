import { readFileSync } from "node:fs";
import { Command } from "commander";
import { connectionsCommand, logoutCommand, whoamiCommand } from "./commands/account.ts";
import { approvalsCommand } from "./commands/approvals.ts";
import { completeCommand, completionCommand } from "./commands/completion.ts";
import { configCommand } from "./commands/config.ts";
import { demoCommand } from "./commands/demo.ts";
import { exportCommand, verifyCommand } from "./commands/evidence.ts";
import { loginCommand } from "./commands/login.ts";
import { passCommand } from "./commands/pass.ts";
import { peopleCommand } from "./commands/people.ts";
import { policyCommand } from "./commands/policy.ts";
import { psqlCommand } from "./commands/psql.ts";
import { serveCommand } from "./commands/serve.ts";
import { replayCommand, sessionsCommand } from "./commands/sessions.ts";
import { knownHostsCommand, sshCommand } from "./commands/ssh.ts";
import { sshKeyCommand } from "./commands/ssh-key.ts";
import { withCommon } from "./context.ts";
import { EXIT_STATUSES } from "./exit-status.ts";

/**
 * `sallyport`, with all its commands. Throws commander's errors instead of ending the process.
 * @param quiet leaves it to the caller to tell of them
 */
export function sallyport(quiet: boolean): Command {
  const program = withCommon(new Command("sallyport"))
    .description(
      "A self-hosted access gateway: every Postgres statement identified, recorded before it runs, replayable.",
    )
    .version(versionOf())
    .enablePositionalOptions()
    .addHelpText("after", `\n${EXIT_STATUSES}`);
  const asUser = [
    loginCommand(),
    logoutCommand(),
    whoamiCommand(),
    connectionsCommand(),
    psqlCommand(),
    sshCommand(),
    passCommand(),
    sshKeyCommand(),
    knownHostsCommand(),
    approvalsCommand(),
  ];
  const asReader = [sessionsCommand(), replayCommand(), verifyCommand(), exportCommand()];
  const asOperator = [
    peopleCommand(),
    serveCommand(),
    demoCommand(),
    policyCommand(),
    configCommand(),
    completionCommand(),
  ];
  for (const command of [...asUser, ...asReader, ...asOperator]) program.addCommand(command);
  program.addCommand(completeCommand(program), { hidden: true });
  everywhere(program, (command) => {
    command.exitOverride().showHelpAfterError("(--help tells more)").helpCommand(false);
    if (quiet) command.configureOutput({ writeErr: () => {} });
  });
  return program;
}

/** `addCommand` hands nothing down. */
function everywhere(command: Command, change: (command: Command) => void): void {
  change(command);
  for (const child of command.commands) everywhere(child, change);
}

function versionOf(): string {
  const text = readFileSync(new URL("../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}
