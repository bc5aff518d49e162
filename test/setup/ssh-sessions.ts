import { FLAG_REDACTED } from "../../core/recording/frame.ts";
import { ssh } from "./ssh-bytes.ts";
import type { Crossing } from "./ssh-recording.ts";

const SECOND = 1_000_000;
const client = (micros: number, ...bytes: readonly Buffer[]): Crossing => ({ by: "client", micros, bytes: Buffer.concat(bytes) }); // prettier-ignore
const target = (micros: number, ...bytes: readonly Buffer[]): Crossing => ({ by: "target", micros, bytes: Buffer.concat(bytes) }); // prettier-ignore

/** Channel 1 is a shell on a terminal, whose second input was typed without echo. */
export function shellSession(): Crossing[] {
  const umlaut = Buffer.from("ü");
  return [
    client(0, ssh.open("session", 0)),
    target(SECOND, ssh.confirm(0, 5)),
    client(2 * SECOND, ssh.pty(5, "xterm", 80, 24), ssh.shell(5)),
    target(2 * SECOND + 500_000, ssh.success(0), ssh.success(0), ssh.data(0, "\x1b[1m$ \x1b[0m")),
    client(3 * SECOND, ssh.data(5, "ls\r")),
    target(3 * SECOND + 1_000, ssh.data(0, Buffer.concat([Buffer.from("ls\r\n"), umlaut.subarray(0, 1)]))),
    target(3 * SECOND + 2_000, ssh.data(0, Buffer.concat([umlaut.subarray(1), Buffer.from("ber\r\n$ ")]))),
    client(4 * SECOND, ssh.window(5, 132, 50)),
    { ...client(5 * SECOND, ssh.data(5, "*******")), flags: FLAG_REDACTED },
    target(6 * SECOND, ssh.exit(0, 3), ssh.eof(0), ssh.close(0)),
    client(6 * SECOND, ssh.close(5)),
  ];
}

/** Channel 1 runs a command that has no terminal; channel 2 is another while it runs. */
export function execSession(): Crossing[] {
  return [
    client(0, ssh.open("session", 0), ssh.open("session", 1)),
    target(1_000, ssh.confirm(0, 5), ssh.confirm(1, 6)),
    client(2_000, ssh.exec(5, "make all"), ssh.exec(6, "head -c 100 /dev/urandom")),
    target(3_000, ssh.success(0), ssh.success(1), ssh.data(0, "one\n"), ssh.data(1, Buffer.alloc(100, 0xff))),
    target(4_000, ssh.stderr(0, "\x1b[31mtwo\x1b[0m\n"), ssh.data(0, "three\n")),
    target(5_000, ssh.exit(0, 0), ssh.close(0), ssh.exit(1, 0), ssh.close(1)),
    client(6_000, ssh.close(5), ssh.close(6)),
  ];
}
