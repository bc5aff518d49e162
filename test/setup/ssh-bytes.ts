/** Messages of the SSH connection layer as a recording holds them: each behind its length (ADR 0011). */

export const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};
export const u64 = (value: number): Buffer => Buffer.concat([u32(Math.floor(value / 2 ** 32)), u32(value % 2 ** 32)]);
export const string = (value: string | Buffer): Buffer => {
  const bytes = Buffer.from(value);
  return Buffer.concat([u32(bytes.length), bytes]);
};
const bool = (value: boolean): Buffer => Buffer.from([value ? 1 : 0]);

/** Anything behind its length, first its type. */
export function prefixed(type: number, ...fields: readonly Buffer[]): Buffer {
  const body = Buffer.concat([Buffer.from([type]), ...fields]);
  return Buffer.concat([u32(body.length), body]);
}

/** What either side may say; `recipient` is the other's number of the channel (RFC 4254 §5). */
export const ssh = {
  open: (kind: string, sender: number, ...details: readonly Buffer[]) =>
    prefixed(90, string(kind), u32(sender), u32(2 ** 21), u32(2 ** 15), ...details),
  confirm: (recipient: number, sender: number) => prefixed(91, u32(recipient), u32(sender), u32(2 ** 21), u32(2 ** 15)),
  fail: (recipient: number, code: number, words: string) =>
    prefixed(92, u32(recipient), u32(code), string(words), string("")),
  adjust: (recipient: number, bytes: number) => prefixed(93, u32(recipient), u32(bytes)),
  data: (recipient: number, data: string | Buffer) => prefixed(94, u32(recipient), string(data)),
  stderr: (recipient: number, data: string | Buffer) => prefixed(95, u32(recipient), u32(1), string(data)),
  eof: (recipient: number) => prefixed(96, u32(recipient)),
  close: (recipient: number) => prefixed(97, u32(recipient)),
  request: (recipient: number, name: string, wantsReply: boolean, ...details: readonly Buffer[]) =>
    prefixed(98, u32(recipient), string(name), bool(wantsReply), ...details),
  success: (recipient: number) => prefixed(99, u32(recipient)),
  failure: (recipient: number) => prefixed(100, u32(recipient)),

  global: (name: string, wantsReply: boolean, ...details: readonly Buffer[]) =>
    prefixed(80, string(name), bool(wantsReply), ...details),
  globalSuccess: (...details: readonly Buffer[]) => prefixed(81, ...details),
  globalFailure: () => prefixed(82),

  exec: (recipient: number, command: string | Buffer) => ssh.request(recipient, "exec", true, string(command)),
  shell: (recipient: number) => ssh.request(recipient, "shell", true),
  subsystem: (recipient: number, name: string) => ssh.request(recipient, "subsystem", true, string(name)),
  pty: (recipient: number, term: string, columns: number, rows: number) =>
    ssh.request(recipient, "pty-req", true, string(term), u32(columns), u32(rows), u32(0), u32(0), string("\0")),
  env: (recipient: number, name: string, value: string) =>
    ssh.request(recipient, "env", false, string(name), string(value)),
  window: (recipient: number, columns: number, rows: number) =>
    ssh.request(recipient, "window-change", false, u32(columns), u32(rows), u32(0), u32(0)),
  signal: (recipient: number, name: string) => ssh.request(recipient, "signal", false, string(name)),
  exit: (recipient: number, status: number) => ssh.request(recipient, "exit-status", false, u32(status)),
  killed: (recipient: number, signal: string, coreDumped: boolean, words = "") =>
    ssh.request(recipient, "exit-signal", false, string(signal), bool(coreDumped), string(words), string("")),
};

/** The two ends of a TCP forward, in the order of the wire: where it leads, then who connects. */
export const ends = (to: string, toPort: number, from: string, fromPort: number): Buffer[] => [
  string(to),
  u32(toPort),
  string(from),
  u32(fromPort),
];
