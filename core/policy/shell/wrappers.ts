import type { OptionSyntax } from "./options.ts";

/** A program whose operands are a command. */
export interface Wrapper extends OptionSyntax {
  /** So many operands come before it. */
  readonly before?: number;
  /** Assignments may come before it. */
  readonly assigns?: true;
  /** What the command is given is not in the text. */
  readonly adds?: true;
  /** With these, or without a command, it starts a shell or what else we do not see. */
  readonly shellBy?: string;
  /** With these its operands are files. */
  readonly editsBy?: string;
  /** With these it runs nothing. */
  readonly idleBy?: string;
}

/** What a wrapper's option is not listed here for makes the command `dynamic`: it cannot be told where it begins. */
export const WRAPPERS: ReadonlyMap<string, Wrapper> = new Map<string, Wrapper>([
  [
    "sudo",
    {
      flags: "AbEHnPSkKBNsievVl",
      values: "CDghprRTtuU",
      longFlags: ["askpass", "background", "preserve-env", "set-home", "non-interactive", "preserve-groups", "stdin", "login", "shell"], // prettier-ignore
      longValues: ["user", "group", "host", "prompt", "role", "type", "chdir", "chroot", "close-from", "other-user"],
      assigns: true,
      shellBy: "si",
      editsBy: "e",
      idleBy: "klvKV",
    },
  ],
  ["doas", { flags: "nsL", values: "Cu", assigns: true, shellBy: "s" }],
  ["pkexec", { longFlags: ["disable-internal-agent", "keep-cwd"], longValues: ["user"] }],
  ["run0", { longValues: ["user", "group", "unit", "chdir", "setenv"], values: "ug" }],
  ["nohup", {}],
  ["setsid", { flags: "cfw", longFlags: ["ctty", "fork", "wait"] }],
  ["nice", { values: "n", longValues: ["adjustment"], numbers: true }],
  ["ionice", { flags: "t", values: "cn", longFlags: ["ignore"], longValues: ["class", "classdata"] }],
  ["time", { flags: "pvaq", values: "fo", longFlags: ["portability", "verbose", "append", "quiet"], longValues: ["format", "output"] }], // prettier-ignore
  ["timeout", { flags: "v", values: "ks", longFlags: ["foreground", "preserve-status", "verbose"], longValues: ["kill-after", "signal"], before: 1 }], // prettier-ignore
  ["stdbuf", { values: "ieo", longValues: ["input", "output", "error"] }],
  ["chrt", { flags: "abdfior", values: "TPD", before: 1 }],
  ["taskset", { flags: "ac", before: 1 }],
  ["chroot", { longValues: ["userspec", "groups"], longFlags: ["skip-chdir"], before: 1, shellBy: "" }],
  ["flock", { flags: "nsxeuFo", values: "wE", longFlags: ["nonblock", "shared", "exclusive", "unlock", "no-fork", "close"], longValues: ["timeout", "wait", "conflict-exit-code"], before: 1 }], // prettier-ignore
  ["exec", { flags: "cl", values: "a" }],
  ["command", { flags: "pvV", idleBy: "vV" }],
  ["builtin", {}],
  ["coproc", {}],
  ["busybox", {}],
  ["toybox", {}],
  ["setarch", { flags: "R", before: 1 }],
  ["noglob", {}],
  ["nocorrect", {}],
  ["chronic", { flags: "ve" }],
  ["catchsegv", {}],
  ["fakeroot", {}],
  [
    "env",
    {
      flags: "i0v",
      values: "uCSa",
      longFlags: ["ignore-environment", "null", "debug"],
      longValues: ["unset", "chdir", "split-string", "argv0"],
      assigns: true,
    },
  ],
  [
    "xargs",
    {
      flags: "0rtxpo",
      values: "adEILnPs",
      longFlags: ["null", "no-run-if-empty", "verbose", "exit", "interactive", "open-tty"],
      longValues: ["arg-file", "delimiter", "max-lines", "max-args", "max-procs", "max-chars", "replace"],
      adds: true,
    },
  ],
]);

/** The program loader starts the program that it is given: `/lib64/ld-linux-x86-64.so.2 /bin/rm`. */
export const LOADER = /^ld(?:-[\w.-]+)?\.so(?:\.\d+)*$|^ld-linux/;
