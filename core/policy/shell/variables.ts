import type { Gathering } from "./gathering.ts";
import { isLiteral, literal, type ShellWord } from "./word.ts";

/** They change what a name stands for, or what is loaded into every program. */
const MEANINGS =
  /^(?:PATH|IFS|ENV|BASH_ENV|HOME|CDPATH|SHELL|SHELLOPTS|BASHOPTS|BASH_ALIASES|BASH_CMDS|PS[0-4]|PROMPT_COMMAND|FPATH|fpath|path|ZDOTDIR|NODE_OPTIONS|CLASSPATH|JAVA_TOOL_OPTIONS|(?:LD|DYLD|BASH_FUNC|PYTHON|PERL|RUBY|GIT_CONFIG|GCONV)_?\w*)(?:%%)?$/;
/** Their value is run as a command, by one program or another. */
const COMMANDS =
  /^(?:PAGER|EDITOR|VISUAL|BROWSER|SUDO_EDITOR|SUDO_ASKPASS|SSH_ASKPASS|MANPAGER|LESSOPEN|LESSCLOSE|RSYNC_RSH|CVS_RSH|GIT_(?:SSH|SSH_COMMAND|PAGER|EDITOR|SEQUENCE_EDITOR|EXTERNAL_DIFF|ASKPASS|PROXY_COMMAND)|SYSTEMD_PAGER|TAR_OPTIONS|RSYNC_CONNECT_PROG)$/;
const HIDDEN_SUBSTITUTION = /\$\(|`/;

/** What setting a variable means for what runs from then on. */
export function assigned(name: string, value: ShellWord, into: Gathering): void {
  if (MEANINGS.test(name)) into.is("dynamic");
  // Bash runs substitutions in texts that it takes for numbers or indexes, and in ${x@P}.
  if (!value.expands && HIDDEN_SUBSTITUTION.test(value.text)) into.is("dynamic");
  if (!COMMANDS.test(name)) return;
  if (isLiteral(value)) into.text(value);
  else into.is("dynamic");
}

/** Words such as `A=b`, as `env` and `export` take them; whether it is one. */
export function assignedBy(word: ShellWord, into: Gathering): boolean {
  const [, name, value] = /^([A-Za-z_]\w*(?:%%)?)\+?=(.*)$/s.exec(word.text) ?? [];
  if (name === undefined || value === undefined) return false;
  assigned(name, word.expands ? { ...word, text: value } : literal(value), into);
  return true;
}

/** An index that holds a substitution is run by what evaluates it: `test -v 'a[$(rm x)]'`. */
export function evaluates({ text }: ShellWord): boolean {
  const index = text.indexOf("[");
  return index >= 0 && HIDDEN_SUBSTITUTION.test(text.slice(index));
}

/** Whether a builtin that is told to set this variable changes what others mean. */
export function isMeaning(name: string): boolean {
  return MEANINGS.test(name) || COMMANDS.test(name);
}
