import type { Instant } from "../brand.ts";
import type { StatementFacts } from "./facts.ts";
import type { CommandFacts } from "./shell/facts.ts";
import { stemOf } from "./shell/known-programs.ts";
import { normalPath, UNTOLD_PATH, withFolders } from "./shell/paths.ts";
import type { Peer } from "./verdict.ts";

/** What the clock says to policies, in UTC. */
export interface ClockFacts {
  readonly hour: number;
  /** 1 is Monday, 7 is Sunday (ISO 8601). */
  readonly weekday: number;
}

export function clockFacts(now: Instant): ClockFacts {
  const date = new Date(now);
  return { hour: date.getUTCHours(), weekday: date.getUTCDay() || 7 };
}

/** What a statement's facts are to policies. */
export interface StatementContext {
  readonly parsed: boolean;
  readonly bounded: boolean;
  readonly tables: readonly string[];
  readonly written: readonly string[];
  readonly functions: readonly string[];
  readonly objects: readonly string[];
  readonly predicates: readonly string[];
  readonly settings: readonly string[];
}

/**
 * Cedar's sets know no patterns. So a qualified name stands there twice, with and without what qualifies it: a policy that
 * names `employees` sees `hr.employees`, too.
 */
export function statementContext(facts: StatementFacts): StatementContext {
  return {
    parsed: facts.parsed,
    bounded: facts.bounded,
    tables: withBareNames(facts.tables),
    written: withBareNames(facts.written),
    functions: withBareNames(facts.functions),
    objects: facts.objects,
    predicates: withBareNames(facts.predicates),
    settings: facts.settings,
  };
}

/** Of what has no text: the action says it all. */
export const NO_STATEMENT: StatementContext = {
  parsed: true,
  bounded: true,
  tables: [],
  written: [],
  functions: [],
  objects: [],
  predicates: [],
  settings: [],
};

/** What a command's facts are to policies. */
export type CommandContext = Omit<CommandFacts, "transfer">;

/** Paths stand there with the folders that they are under, and programs without their version, too. */
export function commandContext(facts: CommandFacts): CommandContext {
  const { parsed, dynamic, sudo, network, interpreter, substitutions, background, forkBomb } = facts;
  return {
    parsed,
    dynamic,
    sudo,
    network,
    interpreter,
    substitutions,
    background,
    forkBomb,
    programs: [...new Set(facts.programs.flatMap((program) => [program, stemOf(program)]))],
    arguments: facts.arguments,
    read: withFolders(facts.read),
    written: withFolders(facts.written),
  };
}

/** What is done to a file. `scp`, `rsync`, `git` and `sftp-server` are what these programs do at the target. */
export interface FileContext {
  readonly operation: string;
  readonly path: string;
}

export function fileContext(operation: string, path: string): FileContext {
  return { operation, path: path === UNTOLD_PATH ? path : normalPath(path) };
}

/** A host goes by many spellings; case, brackets and a dot at the end make no other of it. */
export function peerContext({ host, port }: Peer): Peer {
  return {
    host: host
      .toLowerCase()
      .replace(/^\[(.*)\]$/, "$1")
      .replace(/\.$/, ""),
    port,
  };
}

export type ActionContext = StatementContext | CommandContext | FileContext | Peer;

function withBareNames(names: readonly string[]): readonly string[] {
  if (!names.some((name) => name.includes("."))) return names;
  return [...new Set(names.flatMap((name) => [name, name.slice(name.lastIndexOf(".") + 1)]))];
}
