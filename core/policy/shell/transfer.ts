import { parseShell, type ShellNode } from "../shell-parser.ts";
import type { Transfer } from "./facts.ts";
import { isLiteral, type ShellWord, wordOf } from "./word.ts";

const FOLDERS = /^(?:\/usr)?(?:\/local)?\/bin\//;
const SFTP_SERVERS = new Set([
  "internal-sftp",
  "/usr/lib/openssh/sftp-server",
  "/usr/libexec/openssh/sftp-server",
  "/usr/lib/ssh/sftp-server",
  "/usr/libexec/sftp-server",
]);
/** What rsync's client tells its server; those that name a file, a program or a list of files are not among them. */
const RSYNC_OPTIONS =
  /^--(?:server|sender|delete(?:-(?:during|before|after|delay|excluded|missing-args))?|inplace|partial|append(?:-verify)?|size-only|ignore-(?:times|existing|errors)|existing|numeric-ids|force|safe-links|copy-unsafe-links|munge-links|no-[a-z-]+|one-file-system|fsync|sparse|preallocate|stats|progress|bwlimit=\d+|timeout=\d+|max-delete=\d+|(?:max|min)-size=[\w.]+|block-size=\d+|modify-window=\d+|compress-(?:level|choice)=\w+|checksum-(?:seed|choice)=\w+|log-format=[%\w]+|out-format=[%\w]+|skip-compress=[\w/]+|omit-(?:dir|link)-times|specials|devices|super|fake-super|mkpath|open-noatime|trust-sender)$/;

/**
 * What the far end of scp, rsync, git or sftp is asked to do, where a command is exactly that and nothing else: one program, all
 * of whose words are literal and known. Undefined for anything else, which is a command like any other.
 */
export function transferOf(source: string): Transfer | undefined {
  const words = onlyCommand(source);
  if (words === undefined || !words.every(isLiteral)) return undefined;
  const [name = "", ...args] = words.map(({ text }) => text);
  const program = name.replace(FOLDERS, "");
  if (SFTP_SERVERS.has(name)) return sftpServer(args);
  if (program === "scp") return scp(args);
  if (program === "rsync") return rsync(args);
  const [first = "", ...rest] = args;
  return program === "git" ? git(`git-${first}`, rest) : git(program, args);
}

function onlyCommand(source: string): readonly ShellWord[] | undefined {
  const statements = parseShell(source)?.children ?? [];
  const [command] = statements;
  if (statements.length !== 1 || command?.type !== "command") return undefined;
  const [name, ...args] = command.children;
  if (name?.type !== "command_name" || !args.every(({ field }: ShellNode) => field === "argument")) return undefined;
  return [name, ...args].map((node) => wordOf(source, node));
}

/** Its options say how much it logs, that it only reads, or where it begins. */
function sftpServer(args: readonly string[]): Transfer | undefined {
  const known = args.every((arg) => /^-(?:e|R)$/.test(arg));
  return known ? { kind: "sftp-server", direction: "both", paths: [] } : undefined;
}

function scp(args: readonly string[]): Transfer | undefined {
  const at = args.findIndex((arg) => !/^-[a-z]+$/.test(arg));
  const options = args
    .slice(0, at < 0 ? args.length : at)
    .join("")
    .replaceAll("-", "");
  const paths = at < 0 ? [] : args.slice(args[at] === "--" ? at + 1 : at);
  const directions = options.replaceAll(/[^tf]/g, "");
  if (paths.length === 0 || !/^[tfrpdvq]+$/.test(options) || directions.length !== 1) return undefined;
  if (directions === "t" && paths.length !== 1) return undefined;
  return { kind: "scp", direction: directions === "t" ? "write" : "read", paths };
}

/** `rsync --server [--sender] -vlogDtpre.iLsfxC . path…`: what stands behind `e` tells of the protocol. */
function rsync(args: readonly string[]): Transfer | undefined {
  if (args[0] !== "--server") return undefined;
  const at = args.indexOf(".");
  const paths = args.slice(at + 1);
  if (at < 0 || paths.length === 0) return undefined;
  const known = args.slice(0, at).every((arg) => RSYNC_OPTIONS.test(arg) || /^-[A-Zabcd-rt-z]*(?:e[\w.]*)?$/.test(arg));
  if (!known) return undefined;
  return { kind: "rsync", direction: args.includes("--sender") ? "read" : "write", paths };
}

function git(program: string, args: readonly string[]): Transfer | undefined {
  const reads = program === "git-upload-pack" || program === "git-upload-archive";
  const [path] = args;
  if (!(reads || program === "git-receive-pack") || args.length !== 1 || path === undefined || path.startsWith("-"))
    return undefined;
  return { kind: "git", direction: reads ? "read" : "write", paths: [path] };
}
