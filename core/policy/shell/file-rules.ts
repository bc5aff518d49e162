import type { Gathering } from "./gathering.ts";
import { literal, type ShellWord } from "./word.ts";

type FileRule = (args: readonly ShellWord[], into: Gathering) => void;

/**
 * Words that are no options, nor the values of those that take one.
 * @param values letters and long names of options with a value of their own word
 */
function operandsOf(args: readonly ShellWord[], values = ""): readonly ShellWord[] {
  const operands: ShellWord[] = [];
  for (let at = 0; at < args.length; at++) {
    const word = args[at];
    if (word === undefined) break;
    if (word.text === "--" && !word.expands) return [...operands, ...args.slice(at + 1)];
    if (!/^-./.test(word.text)) operands.push(word);
    else if (/^-[^-]/.test(word.text) && values.includes(word.text.at(-1) ?? "")) at++;
  }
  return operands;
}

/** The value of an option: `-o x`, `-ox`, `--output x`, `--output=x`. */
function valuesOf(args: readonly ShellWord[], letter: string, ...names: readonly string[]): readonly ShellWord[] {
  return args.flatMap((word, at) => {
    const { text } = word;
    const [, name = "", value] = /^--([^=]+)(?:=(.*))?$/s.exec(text) ?? [];
    if (names.includes(name)) return value === undefined ? (args[at + 1] ?? []) : { ...word, text: value };
    if (!new RegExp(`^-[A-Za-z]*${letter}`).test(text) || text.startsWith("--")) return [];
    const rest = text.slice(text.indexOf(letter) + 1);
    return rest === "" ? (args[at + 1] ?? []) : { ...word, text: rest };
  });
}

function each(words: readonly ShellWord[], use: (word: ShellWord) => void): void {
  for (const word of words) use(word);
}

const reads =
  (skip = 0, values = ""): FileRule =>
  (args, into) =>
    each(operandsOf(args, values).slice(skip), (word) => into.reads(word));

const writes =
  (skip = 0, values = ""): FileRule =>
  (args, into) =>
    each(operandsOf(args, values).slice(skip), (word) => into.writes(word));

const edits: FileRule = (args, into) => {
  reads()(args, into);
  writes()(args, into);
};

/** Something in a folder. */
function within(folder: ShellWord, name = "{}"): ShellWord {
  return { ...folder, text: `${folder.text}/${name}` };
}

/**
 * The last one is written, or the folder that -t names; the others are read, and gone if they are moved. Where the last one is a
 * folder, which no text tells, they are written within.
 */
const copies =
  (moves: boolean, values = ""): FileRule =>
  (args, into) => {
    const folders = valuesOf(args, "t", "target-directory");
    const operands = operandsOf(args, `t${values}`).filter((word) => !folders.includes(word));
    const sources = folders.length > 0 ? operands : operands.slice(0, -1);
    each(sources, (word) => (moves ? into.writes(word) : into.reads(word)));
    for (const target of folders.length > 0 ? folders : operands.slice(-1)) {
      into.writes(target);
      each(sources, ({ text, expands }) =>
        into.writes(within({ ...target, expands: target.expands || expands }, text.split("/").findLast(Boolean))),
      );
    }
  };

const patterned: FileRule = (args, into) => {
  const given = valuesOf(args, "e", "regexp").length > 0 || valuesOf(args, "f", "file").length > 0;
  reads(given ? 0 : 1, "efABCmd")(args, into);
};

const sed: FileRule = (args, into) => {
  const scripts = [...valuesOf(args, "e", "expression"), ...valuesOf(args, "f", "file")];
  const files = operandsOf(args, "efl").slice(scripts.length > 0 ? 0 : 1);
  const inPlace = args.some(({ text }) => /^-[nErsuz]*i|^--in-place/.test(text));
  each(files, (word) => (inPlace ? into.writes(word) : into.reads(word)));
  const script = scripts.length > 0 ? scripts : operandsOf(args).slice(0, 1);
  const runs = script.some(({ text, expands }) => expands || text.length > MAX_SCRIPT || SED_RUNS.test(text));
  if (runs || valuesOf(args, "f", "file").length > 0) into.is("interpreter");
};
/** The commands `e` and `w`, and those flags of `s`. */
const SED_RUNS = /(?:^|[;{}\n\d$/])[ \t]*[eEwW](?:\s|$)|[^\w\s][gpIiMm\d]*[ew][gpIiMm\d]*[ \t]*(?:$|[;}\n])/;
const AWK_RUNS = /system|getline|\||@\w|print[^;}\n]*>/;
/** Longer than what a person types: it takes time to look through, and nobody wrote it for one line. */
const MAX_SCRIPT = 4_096;

const awk: FileRule = (args, into) => {
  const fromFile = valuesOf(args, "f", "file", "include", "load", "exec").length > 0;
  const operands = operandsOf(args, "Fvf");
  const [program] = operands;
  const runs =
    program === undefined || program.expands || program.text.length > MAX_SCRIPT || AWK_RUNS.test(program.text);
  if (fromFile || runs) into.is("interpreter");
  each(operands.slice(fromFile ? 0 : 1), (word) => into.reads(word));
  each(valuesOf(args, "f", "file"), (word) => into.reads(word));
};

const dd: FileRule = (args, into) => {
  for (const word of args) {
    if (word.text.startsWith("of=")) into.writes({ ...word, text: word.text.slice(3) });
    if (word.text.startsWith("if=")) into.reads({ ...word, text: word.text.slice(3) });
  }
};

const tar: FileRule = (args, into) => {
  const [first] = args;
  const bundled = first !== undefined && !first.text.startsWith("-") ? [{ ...first, text: `-${first.text}` }] : [];
  const words = bundled.length > 0 ? [...bundled, ...args.slice(1)] : args;
  const mode =
    words.find(({ text }) => /^-[^-]*[cxtruA]|^--(?:create|extract|get|list|append|update)/.test(text))?.text ?? "";
  const archives = valuesOf(words, "f", "file");
  const folders = valuesOf(words, "C", "directory");
  const extracts = /^-[^-]*x|^--(?:extract|get)/.test(mode);
  each(archives, (word) =>
    /^-[^-]*[cruA]|^--(?:create|append|update)/.test(mode) ? into.writes(word) : into.reads(word),
  );
  if (extracts) each(folders.length > 0 ? folders : [literal(".")], (word) => into.writes(within(word)));
  else
    each([...folders, ...operandsOf(words, "fCTXI").filter((word) => !archives.includes(word))], (word) =>
      into.reads(word),
    );
  if (args.some(({ text }) => /^-[A-Za-z]*[IF]|^--(?:to-command|checkpoint-action|use-compress|info-script|new-volume-script|rsh-command|rmt-command)/.test(text))) into.is("interpreter"); // prettier-ignore
};

const fetches: FileRule = (args, into) => {
  each(valuesOf(args, "o", "output", "output-file"), (word) => into.writes(word));
  each(valuesOf(args, "O", "output-document"), (word) => into.writes(word));
  each(valuesOf(args, "P", "directory-prefix", "output-dir"), (word) => into.writes(within(word)));
  each(valuesOf(args, "T", "upload-file", "post-file", "body-file"), (word) => into.reads(word));
};

/** A path behind a host's name is another machine's. The far ends of both programs read or write all of their paths. */
const remote: FileRule = (args, into) => {
  const operands = operandsOf(args, "ceFiJloPSDX");
  const local = operands.filter(({ text }) => !/^[^/]*:/.test(text));
  if (local.length < operands.length) into.is("network");
  if (args.some(({ text }) => /^-[a-zA-Z]*[eSo]$|^--rsh|^-o/.test(text))) into.is("interpreter");
  for (const word of args) {
    const [, value] = /^--[a-z-]+=(.*\/.*)$/s.exec(word.text) ?? [];
    if (value !== undefined) into.writes({ ...word, text: value });
  }
  if (args.some(({ text }) => text === "--server" || /^-[a-z]*[tf]/.test(text))) edits(local.map(unnamed), into);
  else if (operands.at(-1) === local.at(-1)) copies(false)(local.map(unnamed), into);
  else each(local, (word) => into.reads(word));
};

/** Not to be taken for an option. */
function unnamed(word: ShellWord): ShellWord {
  return word.text.startsWith("-") ? { ...word, text: `./${word.text}` } : word;
}

const links: FileRule = (args, into) => {
  const operands = operandsOf(args, "tS");
  if (operands.length === 1) into.writes(within(literal("."), operands[0]?.text.split("/").findLast(Boolean)));
  else copies(false)(args, into);
};

const GIT_REMOTE = new Set([
  "clone",
  "fetch",
  "pull",
  "push",
  "ls-remote",
  "submodule",
  "remote",
  "archive",
  "send-email",
]);
const git: FileRule = (args, into) => {
  if (args.some(({ text }) => GIT_REMOTE.has(text))) into.is("network");
  const runs =
    /^-c|^--(?:exec|upload-pack|receive-pack|config-env|extcmd)|^(?:bisect|foreach|filter-branch|difftool|mergetool|daemon|config|alias)$|^-x$/;
  if (args.some(({ text }) => runs.test(text))) into.is("interpreter");
};

function named(names: string, rule: FileRule): readonly (readonly [string, FileRule])[] {
  return names.split(" ").map((name) => [name, rule] as const);
}

/** What programs that everybody knows do to files, by their operands. */
export const FILE_RULES: ReadonlyMap<string, FileRule> = new Map([
  ...named("cat tac nl less more most rev fold wc uniq comm paste join diff cmp od xxd hexdump base64 base32 strings file stat ls dir tree du readlink realpath md5sum sha1sum sha256sum sha512sum b2sum cksum source . zcat bzcat xzcat zless crontab", reads()), // prettier-ignore
  ...named("head tail cut", reads(0, "ncdfbs")),
  ...named("grep egrep fgrep zgrep rg ag ack", patterned),
  ...named("sort", (args, into) => {
    const written = valuesOf(args, "o", "output");
    each(written, (word) => into.writes(word));
    each(
      operandsOf(args, "otkST").filter((word) => !written.includes(word)),
      (word) => into.reads(word),
    );
  }),
  ...named("tee sponge rm rmdir unlink shred touch mkdir mkfifo mknod wipefs fdisk sfdisk gdisk parted blkdiscard mkswap mkfs mke2fs swapon", writes(0, "mdstnbT")), // prettier-ignore
  ...named("truncate", writes(0, "sr")),
  ...named("fallocate", writes(0, "lo")),
  ...named("chmod chown chgrp chattr setfacl chcon", (args, into) => {
    const like = args.some(({ text }) => text.startsWith("--reference"));
    // `chmod -x file`: a mode may look like an option.
    const dashed = args.some(({ text }) => /^-[rwxXst]+$/.test(text));
    writes(like || dashed ? 0 : 1)(args, into);
  }),
  ...named("gzip gunzip bzip2 bunzip2 xz unxz zstd unzstd lz4 compress uncompress", writes(0, "S")),
  ...named("vi vim nvim ex ed nano pico emacs view sudoedit visudo joe mcedit", edits),
  ...named("cp", copies(false, "S")),
  ...named("install", copies(false, "gmoS")),
  ...named("mv", copies(true, "S")),
  ...named("ln link", links),
  ...named("dd", dd),
  ...named("sed", sed),
  ...named("awk gawk mawk nawk", awk),
  ...named("tar bsdtar", tar),
  ...named("unzip", (args, into) => {
    reads(0, "dx")(args.slice(0), into);
    const folders = valuesOf(args, "d");
    each(folders.length > 0 ? folders : [literal(".")], (word) => into.writes(within(word)));
  }),
  ...named("curl wget", fetches),
  ...named("scp rsync", remote),
  ...named("git", git),
  ...named("patch", (_, into) => into.writes(within(literal(".")))),
  ...named("split csplit", (_, into) => into.writes(within(literal(".")))),
]);
