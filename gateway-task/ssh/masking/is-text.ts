import { commandFacts } from "../../../core/policy/command-facts.ts";
import { fileProgram } from "../file-program.ts";
import type { Asked } from "../gate.ts";

/** Whether what is asked in a channel shows text: a shell, or a command, unless that is the far end of a program that moves files. */
export function isText(asked: Asked): boolean {
  if (asked.kind === "shell") return true;
  if (asked.kind !== "command") return false;
  const text = asked.command.toString("utf8");
  return fileProgram("exec", text) === undefined && commandFacts(text).transfer === undefined;
}
