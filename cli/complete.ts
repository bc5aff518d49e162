import type { Argument, Command, Option } from "commander";

/** What else a completion may need to know. */
export interface Known {
  /** Names of connections; none where nobody can tell. */
  connections(): Promise<readonly string[]>;
  /** Ids of the approvals that wait for whoever is signed in. */
  approvals(): Promise<readonly string[]>;
}

/**
 * What may stand in the last of these words.
 * @param words what was typed behind `sallyport`; the last is the one under the cursor, perhaps empty
 */
export async function complete(program: Command, words: readonly string[], known: Known): Promise<string[]> {
  const current = words.at(-1) ?? "";
  const { command, positional, valueOf, raw } = walk(program, words.slice(0, -1));
  const candidates = raw
    ? []
    : valueOf
      ? await choicesOf(valueOf, known)
      : current.startsWith("-")
        ? optionsOf(command)
        : await argumentsOf(command, positional, known);
  return candidates.filter((candidate) => candidate.startsWith(current));
}

interface Place {
  readonly command: Command;
  /** How many arguments of the command stand before. */
  readonly positional: number;
  /** The option whose value comes now. */
  readonly valueOf: Option | undefined;
  /** Behind `--`: the words of another program. */
  readonly raw: boolean;
}

function walk(program: Command, words: readonly string[]): Place {
  let command = program;
  let positional = 0;
  let valueOf: Option | undefined;
  for (const word of words) {
    if (word === "--") return { command, positional, valueOf: undefined, raw: true };
    if (valueOf) valueOf = undefined;
    else if (word.startsWith("-")) valueOf = optionNeedingValue(command, word);
    else {
      const next = positional === 0 ? subcommands(command).find((one) => one.name() === word) : undefined;
      if (next) command = next;
      else positional++;
    }
  }
  return { command, positional, valueOf, raw: false };
}

function optionNeedingValue(command: Command, word: string): Option | undefined {
  const option = command.options.find(({ long, short }) => word === long || word === short);
  return option?.required ? option : undefined;
}

function subcommands(command: Command): Command[] {
  const hidden = new Set(["help", HIDDEN]);
  return command.commands.filter((one) => !hidden.has(one.name()));
}

/** The command that the shells' functions call. */
export const HIDDEN = "__complete";

async function choicesOf(option: Option, known: Known): Promise<readonly string[]> {
  return CONNECTION_OPTIONS.has(option.long ?? "") ? known.connections() : (option.argChoices ?? []);
}

/** Those whose value is a connection's name. */
const CONNECTION_OPTIONS = new Set(["--connection", "--on"]);

function optionsOf(command: Command): string[] {
  const long = command.options.filter(({ hidden }) => !hidden).map((option) => option.long);
  return [...long.filter((name) => name !== undefined && name !== null), "--help"];
}

async function argumentsOf(command: Command, positional: number, known: Known): Promise<string[]> {
  const names = positional === 0 ? subcommands(command).map((one) => one.name()) : [];
  return [...names, ...(await valuesOf(argumentAt(command, positional), known))];
}

/** Where no subcommand is named, the first one is meant: so do those of ours that have a default. */
function argumentAt(command: Command, positional: number): Argument | undefined {
  const [first] = subcommands(command);
  return (command.registeredArguments.length > 0 || !first ? command : first).registeredArguments[positional];
}

async function valuesOf(argument: Argument | undefined, known: Known): Promise<readonly string[]> {
  if (argument === undefined) return [];
  if (argument.name() === "approval") return known.approvals();
  return argument.name() === "connection" ? known.connections() : (argument.argChoices ?? []);
}

export const SHELLS = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof SHELLS)[number];

/** The script that a shell reads: all it knows is how to ask us. */
export const SCRIPTS: Readonly<Record<Shell, string>> = {
  bash: `# bash: eval "$(sallyport completion bash)" in ~/.bashrc
_sallyport() {
  local IFS=$'\\n'
  COMPREPLY=($("\${COMP_WORDS[0]}" ${HIDDEN} -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _sallyport sallyport
`,
  zsh: `#compdef sallyport
# zsh: eval "$(sallyport completion zsh)" in ~/.zshrc, after compinit
_sallyport() {
  local -a candidates
  candidates=("\${(@f)$("\${words[1]}" ${HIDDEN} -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  compadd -a candidates
}
compdef _sallyport sallyport
`,
  fish: `# fish: sallyport completion fish > ~/.config/fish/completions/sallyport.fish
complete -c sallyport -f -a '(set -l words (commandline -opc) (commandline -ct); $words[1] ${HIDDEN} -- $words[2..] 2>/dev/null)'
`,
};
