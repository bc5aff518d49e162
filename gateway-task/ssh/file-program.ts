import type { FileProgram } from "../../core/recording/ssh-events.ts";

/** A word of a shell that starts nothing else: quoted by single quotes, or without what a shell would run or redirect. */
const WORD = /[ \t]*((?:'[^']*'|\\[^\n]|[^\s'"\\$`;&|<>()#!])+)/y;
const MAX_COMMAND_CHARACTERS = 16 << 10;
const MAX_PATH_CHARACTERS = 1 << 10;

/**
 * The program that a command starts to move files, where its text says so plainly: as `scp`, `rsync`, `git` and `sftp`
 * themselves ask for it. Paths are as they were asked for, with a shell's patterns in them.
 */
export function fileProgram(via: "shell" | "exec" | "subsystem", text: string): FileProgram | undefined {
  if (via === "subsystem") return text === "sftp" ? { name: "sftp" } : undefined;
  if (via === "shell" || text.length > MAX_COMMAND_CHARACTERS) return undefined;
  const [command, ...words] = plainWords(text.trim()) ?? [];
  if (command === undefined) return undefined;
  const name = command.slice(command.lastIndexOf("/") + 1);
  if (name === "sftp-server") return { name: "sftp" };
  if (name === "scp") return scp(words);
  if (name === "rsync") return rsync(words);
  return git(name === "git" ? [`git-${words[0] ?? ""}`, ...words.slice(1)] : [name, ...words]);
}

/** The words of a simple command; undefined where it is more than that. */
function plainWords(text: string): string[] | undefined {
  const words: string[] = [];
  WORD.lastIndex = 0;
  for (let word = WORD.exec(text); word !== null; word = WORD.exec(text)) {
    words.push((word[1] ?? "").replace(/'([^']*)'|\\(.)/gs, (_, quoted?: string, escaped?: string) => quoted ?? escaped ?? "")); // prettier-ignore
    if (WORD.lastIndex === text.length) return words;
  }
  return undefined;
}

/** `-t` takes what it is sent, `-f` sends (OpenSSH's scp.c). */
function scp(words: readonly string[]): FileProgram | undefined {
  const end = words.findIndex((word) => !/^-\w+$/.test(word));
  const options = (end < 0 ? words : words.slice(0, end)).join("");
  const path = words.slice(end < 0 ? words.length : end).filter((word, n) => n > 0 || word !== "--");
  if (options.includes("t") === options.includes("f")) return undefined;
  return withPath({ name: "scp", direction: options.includes("t") ? "to-target" : "from-target" }, path.join(" "));
}

/** `rsync --server [--sender] -options . path` (rsync's options.c). */
function rsync(words: readonly string[]): FileProgram | undefined {
  if (words[0] !== "--server") return undefined;
  const dot = words.indexOf(".");
  const path = dot < 0 ? "" : words.slice(dot + 1).join(" ");
  return withPath({ name: "rsync", direction: words.includes("--sender") ? "from-target" : "to-target" }, path);
}

const GIT: Readonly<Record<string, FileProgram["direction"]>> = {
  "git-upload-pack": "from-target",
  "git-upload-archive": "from-target",
  "git-receive-pack": "to-target",
};

function git([name = "", ...words]: readonly string[]): FileProgram | undefined {
  const direction = Object.hasOwn(GIT, name) ? GIT[name] : undefined;
  return direction && withPath({ name: "git", direction }, words.at(-1) ?? "");
}

function withPath(program: FileProgram, path: string): FileProgram {
  return path === "" ? program : { ...program, path: path.slice(0, MAX_PATH_CHARACTERS) };
}
