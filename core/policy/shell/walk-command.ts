import { parseShell, type ShellNode } from "../shell-parser.ts";
import type { Gathering } from "./gathering.ts";
import { runCommand } from "./run-command.ts";
import { isSound } from "./sound-tree.ts";
import { assigned, evaluates } from "./variables.ts";
import { literal, type ShellWord, wordOf } from "./word.ts";

const REDIRECTS = new Set(["file_redirect", "heredoc_redirect", "herestring_redirect"]);
const NO_ARGUMENTS = new Set([...REDIRECTS, "variable_assignment", "comment", "command_name"]);

/** Gathers what a text does that is run as a command. Throws where it is not understood for sure. */
export function walkCommand(text: string, into: Gathering): void {
  const tree = parseShell(text);
  if (tree === undefined || !isSound(text, tree)) throw new SyntaxError("not understood");
  new Walk(text, into).visit(tree);
}

class Walk {
  readonly #source: string;
  readonly #into: Gathering;

  constructor(source: string, into: Gathering) {
    this.#source = source;
    this.#into = into;
  }

  visit(node: ShellNode): void {
    switch (node.type) {
      case "command":
        return this.#command(node, []);
      case "redirected_statement":
        return this.#redirected(node);
      case "file_redirect":
        this.#redirect(node);
        break;
      case "declaration_command":
      case "unset_command":
        this.#declaration(node);
        break;
      case "variable_assignment":
        this.#assignment(node);
        break;
      case "function_definition":
        if (this.#forks(node)) this.#into.is("forkBomb");
        break;
      case "command_substitution":
        return this.#substitution(node);
      case "process_substitution":
        this.#into.is("substitutions");
        break;
      case "expansion":
        // ${x@P} is expanded as a prompt is, with substitutions.
        if (this.#text(node).includes("@P")) this.#into.is("dynamic");
        break;
      case "test_command":
        if (evaluates(literal(this.#quoted(node)))) this.#into.is("dynamic");
        break;
      case "&":
        this.#into.is("background");
        break;
    }
    this.#all(node.children);
  }

  #all(nodes: readonly ShellNode[]): void {
    for (const node of nodes) this.visit(node);
  }

  #text({ start, end }: ShellNode): string {
    return this.#source.slice(start, end);
  }

  /** @param more words behind redirections, which the tree does not count as the command's own */
  #command(node: ShellNode, more: readonly ShellWord[]): void {
    const name = node.children.find(({ type }) => type === "command_name");
    const args = node.children.filter(({ type }) => !NO_ARGUMENTS.has(type));
    if (args.some(({ type }) => type === "subshell")) throw new SyntaxError("a subshell is no argument");
    const words = args.map((arg) => wordOf(this.#source, arg));
    const behind = node.children.flatMap((child) => this.#behind(child));
    if (name !== undefined) runCommand([wordOf(this.#source, name), ...words, ...behind, ...more], this.#into);
    this.#all(node.children);
  }

  #redirected(node: ShellNode): void {
    const more = node.children.flatMap((child) => this.#behind(child));
    const last = commandWithin(node.children.find(({ field }) => field === "body"));
    if (more.length > 0 && last === undefined) throw new SyntaxError("words without a command");
    for (const child of node.children) {
      if (child.field === "body" && more.length > 0) this.#withMore(child, more);
      else this.visit(child);
    }
  }

  /** `ls >f x`: of several words behind an operator the first alone is its file. */
  #behind(node: ShellNode): ShellWord[] {
    if (!REDIRECTS.has(node.type)) return [];
    const words = node.children.filter(({ field }) => field === "destination" || field === "argument");
    const own = node.type === "file_redirect" ? 1 : 0;
    return words.slice(own).map((word) => wordOf(this.#source, word));
  }

  #withMore(node: ShellNode, more: readonly ShellWord[]): void {
    if (node.type === "command") return this.#command(node, more);
    const last = node.children.at(-1);
    for (const child of node.children) {
      if (child === last) this.#withMore(child, more);
      else this.visit(child);
    }
  }

  #redirect({ children }: ShellNode): void {
    const [first] = children.filter(({ field }) => field === "destination");
    if (first === undefined) return;
    const operator = children.find(({ type }) => /^[<>&|]+-?$/.test(type))?.type ?? "";
    const file = wordOf(this.#source, first);
    // 2>&1 and <&3- are descriptors.
    if (operator.includes("&") && !operator.startsWith("&") && /^\d*-?$/.test(file.text)) return;
    if (operator.includes("<")) this.#into.reads(file);
    if (operator.includes(">")) this.#into.writes(file);
  }

  #declaration({ children }: ShellNode): void {
    const [keyword, ...rest] = children;
    if (keyword === undefined) return;
    const words = rest.map((child) =>
      child.type === "variable_name" ? literal(this.#text(child)) : wordOf(this.#source, child),
    );
    const assignments = new Set(rest.filter(({ type }) => type === "variable_assignment"));
    runCommand(
      [literal(this.#text(keyword)), ...words.filter((_, n) => !assignments.has(rest[n] as ShellNode))],
      this.#into,
    );
  }

  #assignment({ children }: ShellNode): void {
    const [name, , value] = children;
    if (name === undefined) return;
    const word = value === undefined ? literal("") : wordOf(this.#source, value);
    // Of an array, any of its members may count.
    assigned(this.#text(name).replace(/\[.*/s, ""), word, this.#into);
    if (value?.type === "array")
      for (const member of value.children) assigned("", wordOf(this.#source, member), this.#into);
  }

  #substitution(node: ShellNode): void {
    this.#into.is("substitutions");
    const written = this.#text(node);
    if (!written.startsWith("`") || !written.includes("\\")) return this.#all(node.children);
    // A backslash is taken away before the command is read; of quotes, only where double quotes are around it.
    if (/\\"/.test(written)) throw new SyntaxError("quotes within backticks");
    this.#into.text(literal(written.slice(1, -1).replaceAll(/\\([$`\\])/g, "$1")));
  }

  /** What is quoted within it: an index in quotes is run all the same. */
  #quoted(node: ShellNode): string {
    if (node.type === "raw_string" || node.type === "ansi_c_string" || node.type === "string") {
      return node.type === "string" && node.children.length > 3 ? "" : wordOf(this.#source, node).text;
    }
    return node.children.map((child) => this.#quoted(child)).join(" ");
  }

  #forks(node: ShellNode): boolean {
    const name = node.children.find(({ field }) => field === "name");
    const body = node.children.find(({ field }) => field === "body");
    if (name === undefined || body === undefined) return false;
    const own = this.#calls(body, this.#text(name));
    return own > 1 || (own > 0 && has(body, "&"));
  }

  #calls(node: ShellNode, name: string): number {
    const own = node.type === "command_name" && wordOf(this.#source, node).text === name ? 1 : 0;
    return node.children.reduce((sum, child) => sum + this.#calls(child, name), own);
  }
}

function has(node: ShellNode, type: string): boolean {
  return node.type === type || node.children.some((child) => has(child, type));
}

/** The command that words at the end of a statement belong to. */
function commandWithin(node: ShellNode | undefined): ShellNode | undefined {
  if (node === undefined || node.type === "command") return node;
  return node.type === "pipeline" || node.type === "list" || node.type === "negated_command"
    ? commandWithin(node.children.at(-1))
    : undefined;
}
