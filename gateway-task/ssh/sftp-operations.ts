import type { FileEvent } from "../../core/recording/ssh-events.ts";
import { SFTP, type SftpRequest } from "./sftp-packets.ts";

export type Operation = FileEvent["operation"];
/** Requests that are told when they are answered. */
const TOLD: Readonly<Record<number, Operation>> = {
  [SFTP.setstat]: "setstat",
  [SFTP.fsetstat]: "setstat",
  [SFTP.opendir]: "opendir",
  [SFTP.remove]: "remove",
  [SFTP.mkdir]: "mkdir",
  [SFTP.rmdir]: "rmdir",
  [SFTP.rename]: "rename",
  [SFTP.symlink]: "symlink",
};
const TOLD_EXTENSIONS: Readonly<Record<string, Operation>> = {
  "posix-rename@openssh.com": "rename",
  "hardlink@openssh.com": "hardlink",
  "lsetstat@openssh.com": "setstat",
  "copy-data": "copy",
};
/** Extensions that change no file, and show none. */
const HARMLESS: ReadonlySet<string> = new Set([
  "statvfs@openssh.com",
  "fstatvfs@openssh.com",
  "fsync@openssh.com",
  "limits@openssh.com",
  "expand-path@openssh.com",
  "home-directory",
  "users-groups-by-id@openssh.com",
]);

/**
 * As what a request is told; undefined where it is not.
 * @param matters it failed otherwise than by there being no such file, or was refused
 */
export function toldAs({ type, extension }: SftpRequest, matters: boolean): Operation | undefined {
  switch (type) {
    case SFTP.open:
      return "open";
    case SFTP.read:
      return matters ? "read" : undefined;
    case SFTP.write:
      return matters ? "write" : undefined;
    case SFTP.extended:
      if (HARMLESS.has(extension)) return matters ? "extended" : undefined;
      return Object.hasOwn(TOLD_EXTENSIONS, extension) ? TOLD_EXTENSIONS[extension] : "extended";
    case SFTP.lstat:
    case SFTP.stat:
    case SFTP.fstat:
    case SFTP.realpath:
    case SFTP.readlink:
    case SFTP.readdir:
      return matters ? "stat" : undefined;
    default:
      return TOLD[type];
  }
}

/** Flags of an open (§6.3). */
const OPEN_READ = 1;
const OPEN_WRITE = 2;

/** As what a file's closing is told, by the flags that it was opened with. */
export function movedAs(mode: number): Operation {
  const write = (mode & OPEN_WRITE) !== 0;
  return (mode & OPEN_READ) !== 0 && write ? "read-write" : write ? "write" : "read";
}
