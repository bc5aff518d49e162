import { type CommandFacts, NOT_PARSED } from "./shell/facts.ts";
import { Gathering } from "./shell/gathering.ts";
import { transferOf } from "./shell/transfer.ts";
import { walkCommand } from "./shell/walk-command.ts";
import { literal } from "./shell/word.ts";

/**
 * The facts of a command, as it arrives with an SSH `exec` or as a line that is entered. Never throws: what is not understood
 * has `parsed: false`. `loadShellParser()` must have resolved in this thread.
 * @param text what was not UTF-8 must stand in it as U+FFFD, and is not understood
 * @param directory where it would run, if that is not where commands begin
 */
export function commandFacts(text: string, directory?: string): CommandFacts {
  try {
    const gathering = new Gathering(walkCommand);
    if (directory?.includes("\uFFFD")) return NOT_PARSED;
    if (directory !== undefined) gathering.enters(literal(directory));
    walkCommand(text, gathering);
    return gathering.facts(transferOf(text));
  } catch {
    return NOT_PARSED;
  }
}
