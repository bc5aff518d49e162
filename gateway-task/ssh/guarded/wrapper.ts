/** What runs a line of a guarded shell at the target, and how the line and what is kept for it are put into one command. */

/** An argument of Linux has at most 128 KiB (MAX_ARG_STRLEN); the log-in shell gets the whole command as one. */
export const MAX_EXEC_BYTES = 120 << 10;

/**
 * Run by bash with `-p`, which takes no functions, options or start-up files from its environment. Its arguments: two halves of
 * this line's marker, the line before's status, the umask, the directory, the line, and for each variable its kind, name and value.
 * It sets those by builtins alone, and only then runs the line. Behind what the line has shown it writes the marker and what is
 * to be kept, in hexadecimal. It holds no quote, `!`, newline or double backslash, so that every log-in shell reads it alike.
 */
const SCRIPT = [
  "exec 251>&1",
  '__sallyport_end() { __sallyport_status=$?; trap - EXIT INT; local IFS; { printf "%b%s%s" "\\036" "$2" "$1"',
  '{ printf "%s\\0" "$3"; umask; printf "\\0%s\\0" "$(pwd -P)"',
  'if [[ $3 == k ]]; then for __sallyport_name in $(compgen -v); do if [[ -v $__sallyport_name ]]; then local -n __sallyport_value=$__sallyport_name; case "${__sallyport_value@a}" in "") printf "%s\\0" "-$__sallyport_name=$__sallyport_value" ;; x) printf "%s\\0" "x$__sallyport_name=$__sallyport_value" ;; esac; fi; done; fi; printf ".\\0"',
  '} 2>/dev/null | command -p od -An -v -tx1; printf "%b" "\\036"; } >&251 2>/dev/null; exit $__sallyport_status; }',
  "__sallyport_return() { return $1; }",
  'trap "__sallyport_end $1 $2 e" EXIT',
  'trap "__sallyport_interrupted $1 $2" INT',
  "__sallyport_interrupted() { __sallyport_return 130; __sallyport_end $1 $2 k; }",
  '__sallyport_first=$1 __sallyport_second=$2 __sallyport_before=$3; umask "$4"',
  'printf -v __sallyport_folder %b "$5"; printf -v __sallyport_line %b "$6"; shift 6',
  'if [[ -n $__sallyport_folder ]]; then builtin cd -- "$__sallyport_folder" || { __sallyport_return 1; __sallyport_end $__sallyport_first $__sallyport_second h; }; fi',
  'while (($#)); do case $1 in u) unset -v "$2" ;; *) printf -v "$2" %b "$3"; if [[ $1 == x ]]; then export "$2"; fi ;; esac; shift 3; done',
  "set --",
  "__sallyport_return $__sallyport_before",
  'eval "$__sallyport_line"',
  "__sallyport_end $__sallyport_first $__sallyport_second k",
]
  .join("; ")
  .replaceAll("{;", "{");

const BEGINNING = `exec bash --norc --noprofile -p -c '${SCRIPT}' sallyport`;

/** A variable that differs from how a command finds it at the target: exported, plain, or unset. */
export interface KeptVariable {
  readonly kind: "x" | "-" | "u";
  readonly name: string;
  readonly value: Buffer;
  /** Its value is not stored. */
  readonly secret: boolean;
}

/** What a line finds that lines before it have left. */
export interface Found {
  readonly status: number;
  readonly umask: string;
  /** Undefined: where the target's commands begin. */
  readonly directory: Buffer | undefined;
  readonly variables: readonly KeptVariable[];
}

/** A command for the target, and what is stored of it: of the same length, with secrets replaced. */
export interface WrappedLine {
  readonly command: Buffer;
  readonly recorded: Buffer;
}

/** @param marker of this line alone: two halves in hexadecimal. Undefined where it is too long for the target's kernel. */
export function wrapLine(line: Buffer, found: Found, marker: readonly [string, string]): WrappedLine | undefined {
  const { status, umask, directory = Buffer.alloc(0), variables } = found;
  const head = `${BEGINNING} ${marker[0]} ${marker[1]} ${status} ${umask} ${quoted(directory)} ${quoted(line)}`;
  const kept = (value: (variable: KeptVariable) => string): string =>
    variables.map((variable) => ` ${variable.kind} ${variable.name} ${value(variable)}`).join("");
  const command = Buffer.from(head + kept(({ value }) => quoted(value)));
  if (command.length > MAX_EXEC_BYTES) return undefined;
  if (!variables.some(({ secret }) => secret)) return { command, recorded: command };
  const stored = ({ value, secret }: KeptVariable): string =>
    secret ? `'${"*".repeat(quoted(value).length - 2)}'` : quoted(value);
  return { command, recorded: Buffer.from(head + kept(stored)) };
}

const QUOTED = String.raw`'((?:[^'\\!\n\r]|\\0[0-7]{3})*)'`;
const ARGUMENTS = new RegExp(
  String.raw`^ [0-9a-f*]+ [0-9a-f*]+ \d+ [0-7]+ ${QUOTED} ${QUOTED}(?: [-xu] \w+ ${QUOTED})*$`,
);

/** The line that a command runs which `wrapLine` made, and no other; undefined of any other command. */
export function lineWithin(command: string): string | undefined {
  if (!command.startsWith(BEGINNING)) return undefined;
  const line = ARGUMENTS.exec(command.slice(BEGINNING.length))?.[2];
  return line === undefined ? undefined : unquoted(line).toString("utf8");
}

/** Bytes that every shell reads alike within single quotes, and `printf %b` leaves as they are. */
const PLAIN = /[A-Za-z0-9 _./:=,@%+\-"$&|;<>()*?#~^{}[\]`]/;
const IS_PLAIN = Array.from({ length: 256 }, (_, byte) => byte < 0x80 && PLAIN.test(String.fromCharCode(byte)));

/** All other bytes stand in octal: nothing can end the quotes. */
function quoted(bytes: Buffer): string {
  let text = "'";
  for (const byte of bytes)
    text += IS_PLAIN[byte] ? String.fromCharCode(byte) : `\\0${byte.toString(8).padStart(3, "0")}`;
  return `${text}'`;
}

function unquoted(text: string): Buffer {
  const bytes = text.replaceAll(/\\0([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
  return Buffer.from(bytes, "latin1");
}
