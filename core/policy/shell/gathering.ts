import type { CommandFacts } from "./facts.ts";
import { climbs, normalPath, UNTOLD_PATH } from "./paths.ts";
import { isLiteral, type ShellWord } from "./word.ts";

/** What a command can hold. More of it counts as not understood: a list that was cut short would hide the rest. */
const MAX_ITEMS = 4_000;
/** Programs that start programs, and texts within texts: `sh -c "sh -c '…'"`; and what all of those may come to. */
const MAX_RUNS = 10_000;
const MAX_RUNS_DEEP = 64;
const MAX_TEXTS_DEEP = 8;
const MAX_TEXTS = 1_000;
const MAX_TEXT = 256 * 1024;
const MAX_FOLDERS = 100;
const MAX_NAMES = 100;

/** Where output goes that goes nowhere, and input comes from that is nobody's. */
const NO_FILE = /^(?:-|\/dev\/(?:null|zero|full|u?random|tty|std(?:in|out|err)|fd\/\d+))$/;
const REMOTE_FILE = /^\/dev\/(?:tcp|udp)\//;

type Flag = "dynamic" | "sudo" | "network" | "interpreter" | "substitutions" | "background" | "forkBomb";

/** Gathers the facts of one command. Throws where there are too many of them. */
export class Gathering {
  readonly #programs = new Set<string>();
  readonly #arguments = new Set<string>();
  readonly #read = new Set<string>();
  readonly #written = new Set<string>();
  readonly #folders = new Set<string>();
  /** Where a text has gone, as far as it tells, if all of it runs. */
  #here = ".";
  readonly #flags = new Set<Flag>();
  readonly #run: (text: string, into: Gathering) => void;
  #depth = 0;
  #runsDeep = 0;
  #runs = 0;
  #texts = 0;
  #length = 0;

  /** @param run gathers from a text that is run as a command; throws where it is not understood */
  constructor(run: (text: string, into: Gathering) => void) {
    this.#run = run;
  }

  is(flag: Flag): void {
    this.#flags.add(flag);
  }

  /** A program is run, and whatever it starts in turn. */
  within(run: () => void): void {
    if (++this.#runsDeep > MAX_RUNS_DEEP) throw new RangeError("programs that start programs");
    run();
    this.#runsDeep--;
  }

  program(name: string): void {
    if (++this.#runs > MAX_RUNS) throw new RangeError("too many programs");
    if (name === "") return;
    this.#add(this.#programs, name);
    this.#add(this.#programs, name.slice(name.lastIndexOf("/") + 1));
  }

  argument({ text, expands }: ShellWord): void {
    if (text === "" && expands) return;
    this.#add(this.#arguments, text);
    if (text.includes("/dev/tcp/") || text.includes("/dev/udp/")) this.is("network");
  }

  reads(path: ShellWord): void {
    this.#path(this.#read, path);
  }

  writes(path: ShellWord): void {
    this.#path(this.#written, path);
  }

  /** From here on, or for a part of it: all relative paths may be below that folder. */
  enters(folder: ShellWord): void {
    if (this.#folders.size >= MAX_FOLDERS) throw new RangeError("too many folders");
    const told = isLiteral(folder) && folder.text !== "-";
    this.#here = !told ? UNTOLD_PATH : /^[/~]/.test(folder.text) ? folder.text : `${this.#here}/${folder.text}`;
    for (const path of told ? [folder.text, this.#here] : [UNTOLD_PATH])
      this.#folders.add(path.startsWith(UNTOLD_PATH) || climbs(normalPath(path)) ? UNTOLD_PATH : path);
  }

  /** A text that is run as a command by itself. */
  text({ text, expands }: ShellWord): void {
    if (expands) this.is("dynamic");
    this.#length += text.length;
    if (++this.#texts > MAX_TEXTS || this.#depth >= MAX_TEXTS_DEEP || this.#length > MAX_TEXT)
      throw new RangeError("texts within texts");
    this.#depth++;
    this.#run(text, this);
    this.#depth--;
  }

  facts(transfer: CommandFacts["transfer"]): CommandFacts {
    return {
      parsed: true,
      programs: sorted(this.#programs),
      arguments: sorted(this.#arguments),
      read: sorted(this.#inFolders(this.#read)),
      written: sorted(this.#inFolders(this.#written)),
      dynamic: this.#flags.has("dynamic"),
      sudo: this.#flags.has("sudo"),
      network: this.#flags.has("network"),
      interpreter: this.#flags.has("interpreter"),
      substitutions: this.#flags.has("substitutions"),
      background: this.#flags.has("background"),
      forkBomb: this.#flags.has("forkBomb"),
      transfer,
    };
  }

  #path(paths: Set<string>, word: ShellWord): void {
    // What a process is given instead of a file.
    if (/^[<>]\(/.test(word.text)) return;
    if (REMOTE_FILE.test(word.text)) return this.is("network");
    if (word.text === "" || NO_FILE.test(word.text)) {
      if (word.expands) paths.add(UNTOLD_PATH);
      return;
    }
    // What begins with a variable may be anywhere.
    const path = word.expands && /^[$`]/.test(word.text) ? word.text : normalPath(word.text);
    if (path.split("/", MAX_NAMES + 1).length > MAX_NAMES) throw new RangeError("too many folders deep");
    this.#add(paths, path);
    if (word.expands || climbs(path) || (word.pattern && isWide(path))) paths.add(UNTOLD_PATH);
  }

  #inFolders(paths: ReadonlySet<string>): ReadonlySet<string> {
    const relative = [...paths].filter((path) => path.startsWith("."));
    const all = new Set(paths);
    for (const folder of this.#folders)
      for (const path of relative)
        this.#add(all, folder === UNTOLD_PATH ? UNTOLD_PATH : normalPath(`${folder}/${path}`));
    return all;
  }

  #add(set: Set<string>, item: string): void {
    if (set.size >= MAX_ITEMS) throw new RangeError("too much for one command");
    set.add(item);
  }
}

/** A pattern for names of files in one folder is told well enough; one for folders, or in the root, may be any. */
function isWide(path: string): boolean {
  const names = path.split("/");
  const at = names.findIndex((name) => /[*?[{]/.test(name));
  return at < names.length - 1 || (at === 1 && names[0] === "");
}

function sorted(set: ReadonlySet<string>): readonly string[] {
  return [...set].toSorted();
}
