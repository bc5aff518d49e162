import type { Command } from "commander";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { sallyport } from "../../cli/program.ts";

/** What a document of `docs/` names, for tests that hold it against what there is. */
export interface Named {
  readonly text: string;
  /** Each use of `sallyport …`: what is wrong with it, or undefined. */
  readonly commands: readonly { readonly line: string; readonly fault: string | undefined }[];
  readonly variables: readonly string[];
  /** Files of ours, and whether they are there. */
  readonly files: readonly string[];
  /** Relative links whose file or heading is not there. */
  readonly brokenLinks: readonly string[];
}

const FOLDERS = "aws|bench|bin|cli|config|core|docs|functions|gateway-task|infra|local|test";
const FILE = new RegExp(`\`((?:${FOLDERS})/[\\w./-]+)\``, "g");
const LINK = /\]\(([^)\s]+)\)/g;
/** To the end of the command: a quote, a pipe, a comment or a bracket is none of its arguments. */
const COMMAND = /(?<![\w/.-])(?:npx )?sallyport ((?:[a-z<-]|"?\$)[^`\n|;#)(,]*)/g;

export function namedIn(name: string): Named {
  const text = readFileSync(name, "utf8");
  return {
    text,
    commands: [...codeOf(text).matchAll(COMMAND)].map(([line, args = ""]) => ({ line, fault: faultOf(args.trim()) })),
    variables: [...new Set([...text.matchAll(/\bSALLYPORT_[A-Z_]+\b/g)].map(([one]) => one))],
    files: [...new Set([...text.matchAll(FILE)].map(([, file = ""]) => file))],
    brokenLinks: [...text.matchAll(LINK)].map(([, to = ""]) => to).filter((to) => isBroken(name, to)),
  };
}

/** As GitHub makes an anchor of a heading. */
export function anchorsIn(text: string): string[] {
  const prose = text.replaceAll(/^```.*?^```$/gms, "");
  return [...prose.matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, "")
      .replaceAll(" ", "-"),
  );
}

/** Blocks of shell, and what stands between backticks. */
function codeOf(text: string): string {
  const blocks = [...text.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, block = ""]) => block);
  const spans = [...text.replaceAll(/^```.*?^```$/gms, "").matchAll(/`([^`]+)`/g)].map(([, span = ""]) => span);
  return [...blocks, ...spans].join("\n");
}

function isBroken(from: string, to: string): boolean {
  if (/^[a-z]+:/.test(to)) return false;
  const [file = "", anchor] = to.split("#");
  const target = file === "" ? from : path.join(path.dirname(from), file);
  if (!existsSync(target)) return true;
  return anchor !== undefined && !anchorsIn(readFileSync(target, "utf8")).includes(anchor);
}

/** Whether our command line takes it: each subcommand, each option, and no argument too many. */
function faultOf(args: string): string | undefined {
  let command: Command = sallyport(true);
  const words = args.split(/\s+/).filter((word) => word !== "…");
  const given: string[] = [];
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? "";
    if (word === "--") break;
    const child = command.commands.find((one) => one.name() === word);
    if (given.length === 0 && child !== undefined) command = child;
    else if (word.startsWith("--")) {
      const option = command.options.find(({ long }) => long === word.split("=")[0]);
      if (option === undefined) return `${command.name()} has no option ${word}`;
      if (option.required && !word.includes("=")) at++;
    } else given.push(word);
  }
  if (command.name() === "sallyport") return words.length === 0 ? undefined : `there is no command ${words[0]}`;
  if (isDefaultless(command)) return `${command.name()} needs a command of its own`;
  const taken = argumentsOf(command);
  const most = taken.some(({ variadic }) => variadic) ? Infinity : taken.length;
  return given.length > most ? `${command.name()} takes no ${given.slice(most).join(" ")}` : undefined;
}

/** A group whose members have to be named. */
function isDefaultless(command: Command): boolean {
  return command.commands.length > 0 && defaultOf(command) === undefined;
}

function argumentsOf(command: Command): Command["registeredArguments"] {
  return (defaultOf(command) ?? command).registeredArguments;
}

function defaultOf(command: Command): Command | undefined {
  const { _defaultCommandName: name } = command as unknown as { _defaultCommandName: string | null };
  return command.commands.find((one) => one.name() === name);
}
