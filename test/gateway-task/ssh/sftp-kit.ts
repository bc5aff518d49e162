import { prefixed, ssh, string, u32, u64 } from "../../setup/ssh-bytes.ts";
import { client, MINE, opened, type Step, target, THEIRS } from "./interpreter-kit.ts";

/** Packets of the file transfer protocol, version 3. */
export const sftp = {
  init: () => prefixed(1, u32(3)),
  open: (id: number, path: string, mode: number) => prefixed(3, u32(id), string(path), u32(mode), u32(0)),
  close: (id: number, handle: string) => prefixed(4, u32(id), string(handle)),
  read: (id: number, handle: string, offset: number) => prefixed(5, u32(id), string(handle), u64(offset), u32(32_768)),
  write: (id: number, handle: string, offset: number, data: string | Buffer) =>
    prefixed(6, u32(id), string(handle), u64(offset), string(data)),
  stat: (id: number, path: string) => prefixed(17, u32(id), string(path)),
  remove: (id: number, path: string) => prefixed(13, u32(id), string(path)),
  rename: (id: number, path: string, to: string) => prefixed(18, u32(id), string(path), string(to)),
  extended: (id: number, name: string, ...details: readonly Buffer[]) =>
    prefixed(200, u32(id), string(name), ...details),

  version: (version = 3) => prefixed(2, u32(version)),
  status: (id: number, code: number, words = "") => prefixed(101, u32(id), u32(code), string(words), string("")),
  handle: (id: number, handle: string) => prefixed(102, u32(id), string(handle)),
  data: (id: number, data: string | Buffer) => prefixed(103, u32(id), string(data)),
};

export const READ = 1;
export const WRITE = 2;
export const asks = (...packets: readonly Buffer[]): Step => client(ssh.data(THEIRS, Buffer.concat(packets)));
export const answers = (...packets: readonly Buffer[]): Step => target(ssh.data(MINE, Buffer.concat(packets)));

/** A channel in which sftp has begun. */
export const begun = (): Step[] => [
  ...opened(),
  client(ssh.subsystem(THEIRS, "sftp")),
  target(ssh.success(MINE)),
  asks(sftp.init()),
  answers(sftp.version()),
];
