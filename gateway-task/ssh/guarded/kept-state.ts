import { namesSecretVariable } from "../../secret-names.ts";
import type { Found, KeptVariable } from "./wrapper.ts";

/** All that is kept of variables: what a command line of Linux has room for beside a line. */
const MAX_KEPT_BYTES = 24 << 10;
/**
 * Of each command, of the terminal, or what would change how a line is read or what runs before it: bash's own, prompts, the
 * separators of fields. A function that is exported has no name of a variable.
 */
const NOT_KEPT =
  /^(?:BASH.*|ENV|SHELLOPTS|PS[0-4]|PROMPT_COMMAND|PROMPT_DIRTRIM|IFS|POSIXLY_CORRECT|GLOBIGNORE|EXECIGNORE|FIGNORE|_|SHLVL|PWD|RANDOM|SRANDOM|SECONDS|LINENO|EPOCH.*|HIST.*|PPID|E?UID|DIRSTACK|FUNCNAME|FUNCNEST|GROUPS|PIPESTATUS|COMP.*|OPT(?:IND|ERR|ARG)|LINES|COLUMNS|SSH_(?:CONNECTION|CLIENT|TTY)|__sallyport.*)$/;
const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** In other encodings a byte of a character may be a backslash or a quote: bash would read another line than was judged. */
const ENCODES = /^(?:LANG|LC_ALL|LC_CTYPE)$/;
const READ_ALIKE = /^(?:|C|POSIX|.*\.utf-?8(?:@.*)?)$/i;

/** Whether a variable may be set before a line runs. */
export function isKept(name: string, value: Buffer): boolean {
  if (!NAME.test(name) || NOT_KEPT.test(name)) return false;
  return !ENCODES.test(name) || READ_ALIKE.test(value.toString("latin1"));
}

/** What a line has left behind, as the wrapper tells it. */
export interface Left {
  /** `exits`: the line has ended its shell. `homeless`: its directory is gone, and it did not run. */
  readonly how: "kept" | "exits" | "homeless";
  readonly umask: string;
  readonly directory: Buffer;
  readonly variables: ReadonlyMap<string, { readonly kind: "x" | "-"; readonly value: Buffer }>;
}

/** Reads what stands behind the marker; undefined where it is not as the wrapper writes it. */
export function readLeft(hexadecimal: string): Left | undefined {
  const digits = hexadecimal.replaceAll(/\s/g, "");
  if (digits.length % 2 !== 0 || !/^[0-9a-f]*$/.test(digits)) return undefined;
  const fields = fieldsOf(Buffer.from(digits, "hex"));
  const [how, mask, directory, ...rest] = fields;
  // It is cut short where the line has left the shell unable to tell more.
  if (how === undefined || mask === undefined || directory === undefined || rest.pop()?.toString() !== ".")
    return undefined;
  const umask = mask.toString("latin1").trim();
  if (!/^[0-7]{3,4}$/.test(umask) || directory[0] !== 0x2f) return undefined;
  const variables = new Map<string, { kind: "x" | "-"; value: Buffer }>();
  for (const field of rest) {
    const equals = field.indexOf("=");
    const name = field.toString("latin1", 1, equals);
    const value = field.subarray(equals + 1);
    if (equals > 1 && isKept(name, value)) variables.set(name, { kind: field[0] === 0x78 ? "x" : "-", value });
  }
  const ways = { k: "kept", e: "exits", h: "homeless" } as const;
  const way = ways[how.toString("latin1") as keyof typeof ways];
  return way && { how: way, umask, directory, variables };
}

function fieldsOf(bytes: Buffer): Buffer[] {
  const fields: Buffer[] = [];
  let from = 0;
  for (let end = bytes.indexOf(0); end >= 0; end = bytes.indexOf(0, from)) {
    fields.push(bytes.subarray(from, end));
    from = end + 1;
  }
  return fields;
}

/** What is kept from line to line: the directory, the umask, and variables as far as they differ from what a command finds. */
export class KeptState {
  #first: Left | undefined;
  #last: Left | undefined;

  /** Where a command begins at the target, and where the next line begins. */
  get home(): Buffer | undefined {
    return this.#first?.directory;
  }

  /** Undefined where commands begin. */
  get directory(): Buffer | undefined {
    const { directory } = this.#last ?? {};
    return directory === undefined || this.home?.equals(directory) ? undefined : directory;
  }

  /** @returns whether all of it is kept; if not, nothing of it is */
  leave(left: Left): boolean {
    this.#first ??= left;
    const before = this.#last ?? left;
    this.#last = left.how === "homeless" ? { ...before, directory: this.#first.directory } : left;
    let bytes = left.directory.length;
    for (const { name, value } of this.#changed()) bytes += name.length + value.length;
    if (bytes <= MAX_KEPT_BYTES) return true;
    this.#last = before;
    return false;
  }

  found(status: number): Found {
    const umask = this.#last?.umask ?? "022";
    return { status, umask, directory: this.directory, variables: this.#changed() };
  }

  #changed(): KeptVariable[] {
    if (this.#first === undefined || this.#last === undefined) return [];
    const before = this.#first.variables;
    const changed: KeptVariable[] = [];
    for (const [name, { kind, value }] of this.#last.variables) {
      const was = before.get(name);
      if (was?.kind === kind && was.value.equals(value)) continue;
      changed.push({ kind, name, value, secret: namesSecretVariable(name) });
    }
    for (const name of before.keys())
      if (!this.#last.variables.has(name)) changed.push({ kind: "u", name, value: Buffer.alloc(0), secret: false });
    return changed;
  }
}
