/** What a program at the target's end of a file transfer was asked to do, by the command that its client sent. */
export interface Transfer {
  readonly kind: "scp" | "rsync" | "git" | "sftp-server";
  /** Seen from the target: `read` sends its files. An SFTP server does both, and its operations are judged one by one. */
  readonly direction: "read" | "write" | "both";
  /** As the command has them; none for an SFTP server. */
  readonly paths: readonly string[];
}

/**
 * What a command does, as far as its text tells, read as bash would read it. A pure function of the text. Lists are sorted and
 * distinct. A program is one of a pipeline, a list, a substitution, a function's body, an argument of `sudo`, `sh -c`, `find -exec`, …
 */
export interface CommandFacts {
  /** False: too large, nested too deep, or not understood for sure. Then the lists are empty, and every flag is as bad as it can be. */
  readonly parsed: boolean;
  /** Names of the programs that it would start, with and without their folders; functions and what is built into the shell, too. */
  readonly programs: readonly string[];
  /** Words behind a program's name, without their quotes; variables and substitutions as they are written. */
  readonly arguments: readonly string[];
  /** Files that are read, by redirections and by programs that are known; see `normalPath`. `*`: one that the text does not tell. */
  readonly read: readonly string[];
  /** The same of files and folders that are written, changed, moved or removed. */
  readonly written: readonly string[];
  /** Something is run that the text does not name: `$x`, `/bin/r?`, `eval "$(…)"`, anything after PATH was changed. */
  readonly dynamic: boolean;
  /** Something runs as another user: `sudo`, `doas`, `su`, … */
  readonly sudo: boolean;
  /** It connects to another host, or can: `curl`, `nc`, `ssh`, `/dev/tcp/…`, `git fetch`, … */
  readonly network: boolean;
  /** Something is started that can run what we do not see: `python`, `vim`, `awk` with `system`, a script by its name, `docker`, … */
  readonly interpreter: boolean;
  readonly substitutions: boolean;
  readonly background: boolean;
  /** A function starts itself more than once, or behind a `&`. */
  readonly forkBomb: boolean;
  /** The whole command is the far end of scp, rsync, git or sftp, and nothing else. */
  readonly transfer: Transfer | undefined;
}

export const NOT_PARSED: CommandFacts = {
  parsed: false,
  programs: [],
  arguments: [],
  read: [],
  written: [],
  dynamic: true,
  sudo: true,
  network: true,
  interpreter: true,
  substitutions: true,
  background: true,
  forkBomb: true,
  transfer: undefined,
};
