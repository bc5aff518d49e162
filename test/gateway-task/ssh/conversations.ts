import { FLAG_REDACTED, FLAG_WITHHELD } from "../../../core/recording/frame.ts";
import { ends, ssh, string, u32 } from "../../setup/ssh-bytes.ts";
import { client, closed, type Conversation, flagged, MINE, opened, target, THEIRS } from "./interpreter-kit.ts";

const OPENED = { type: "channel-opened", channel: 1, kind: "session", by: "client" };
const started = (via: string, text: string) => ({ type: "command-started", number: 1, channel: 1, via, text });
const ended = (outcome: string) => ({ type: "command-ended", number: 1, channel: 1, outcome });
const CLOSED = { type: "channel-closed", channel: 1, kind: "session" };

export const COMMANDS: readonly Conversation[] = [
  {
    promise: "a command is told when it is asked, and with its exit status and its bytes when its channel closes",
    steps: [
      ...opened(),
      client(ssh.exec(THEIRS, "cat /etc/hosts")),
      target(ssh.success(MINE), ssh.data(MINE, "localhost\n"), ssh.stderr(MINE, "warning")),
      client(ssh.data(THEIRS, "typed"), ssh.eof(THEIRS)),
      target(ssh.data(MINE, "more\n"), ssh.exit(MINE, 3)),
      ...closed(),
    ],
    events: [
      { ...OPENED, askedAt: 0, refused: undefined, failed: undefined },
      { ...started("exec", "cat /etc/hosts"), askedAt: 2, terminal: undefined, program: undefined },
      {
        ...ended("exited"),
        status: 3,
        askedAt: 2,
        duration: 4,
        stdin: 5,
        stdout: 15,
        stderr: 7,
        text: "cat /etc/hosts",
      },
      { ...CLOSED, by: "target", fromClient: 5, toClient: 22, openedAt: 1, duration: 6 },
    ],
  },
  {
    promise: "a shell has the terminal that was asked for before it, and changes of its window are told",
    steps: [
      ...opened(),
      client(ssh.pty(THEIRS, "xterm-256color", 80, 24), ssh.env(THEIRS, "LANG", "C.UTF-8"), ssh.shell(THEIRS)),
      target(ssh.success(MINE), ssh.success(MINE), ssh.data(MINE, "$ ")),
      client(ssh.window(THEIRS, 132, 50), ssh.data(THEIRS, "exit\r"), ssh.signal(THEIRS, "TERM")),
      target(ssh.killed(MINE, "TERM", true, "bye")),
      ...closed(),
    ],
    events: [
      OPENED,
      { type: "environment", channel: 1, name: "LANG", value: "C.UTF-8", redacted: undefined },
      { ...started("shell", ""), terminal: { term: "xterm-256color", columns: 80, rows: 24 } },
      { type: "window-changed", channel: 1, columns: 132, rows: 50 },
      { type: "signal", channel: 1, signal: "TERM" },
      { ...ended("signalled"), signal: "TERM", coreDumped: true, message: "bye", status: undefined },
      CLOSED,
    ],
  },
  {
    promise: "a command that the target does not start has failed, and another may be asked for in its place",
    steps: [
      ...opened(),
      client(ssh.subsystem(THEIRS, "sftp"), ssh.exec(THEIRS, "true")),
      target(ssh.failure(MINE), ssh.success(MINE), ssh.exit(MINE, 0)),
      ...closed(),
    ],
    events: [
      OPENED,
      { ...started("subsystem", "sftp"), program: { name: "sftp" } },
      { ...started("exec", "true"), number: 2 },
      { ...ended("failed"), status: undefined },
      { ...ended("exited"), number: 2, status: 0 },
      CLOSED,
    ],
  },
  {
    promise: "a command that policy withheld is refused, whatever the gateway answers in the target's place",
    steps: [
      ...opened(),
      flagged(FLAG_WITHHELD, client(ssh.exec(THEIRS, "rm -rf /"))),
      target(ssh.success(MINE), ssh.stderr(MINE, "blocked by policy\r\n"), ssh.exit(MINE, 126)),
      ...closed(),
    ],
    events: [
      OPENED,
      { ...started("exec", "rm -rf /"), refused: true },
      { ...ended("refused"), status: 126, stdout: 0, stderr: 19 },
      CLOSED,
    ],
  },
  {
    promise: "a terminal that the target does not give is none when the command ends",
    steps: [
      ...opened(),
      client(ssh.pty(THEIRS, "vt100", 80, 24), ssh.shell(THEIRS)),
      target(ssh.failure(MINE), ssh.success(MINE), ssh.exit(MINE, 0)),
      ...closed(),
    ],
    events: [OPENED, { ...started("shell", ""), terminal: { term: "vt100", columns: 80, rows: 24 } }, { ...ended("exited"), terminal: undefined }, CLOSED], // prettier-ignore
  },
  {
    promise: "a variable that names a secret is told without its value, and so is one that was replaced",
    steps: [
      ...opened(),
      client(ssh.env(THEIRS, "GITHUB_TOKEN", "ghp_1"), ssh.env(THEIRS, "OLDPWD", "/tmp")),
      flagged(FLAG_REDACTED, client(ssh.env(THEIRS, "X", "****"))),
    ],
    events: [
      OPENED,
      { type: "environment", name: "GITHUB_TOKEN", value: "[redacted]", redacted: true },
      { type: "environment", name: "OLDPWD", value: "/tmp", redacted: undefined },
      { type: "environment", name: "X", value: "****", redacted: true },
      { ...CLOSED, by: "session" },
    ],
  },
  {
    promise: "what the session's end cuts off has an unknown outcome",
    steps: [...opened(), client(ssh.exec(THEIRS, "sleep 1d")), target(ssh.success(MINE))],
    events: [
      OPENED,
      started("exec", "sleep 1d"),
      { ...ended("unknown"), duration: undefined, status: undefined },
      { ...CLOSED, by: "session" },
    ],
  },
  {
    promise: "input that policy withheld is none of the command's",
    steps: [
      ...opened(),
      client(ssh.shell(THEIRS)),
      client(ssh.data(THEIRS, "ls\r")),
      flagged(FLAG_WITHHELD, client(ssh.data(THEIRS, "rm -rf /\r"))),
      target(ssh.success(MINE), ssh.exit(MINE, 0)),
      ...closed(),
    ],
    events: [OPENED, started("shell", ""), { ...ended("exited"), stdin: 3 }, { ...CLOSED, fromClient: 3 }],
  },
];

const direct = (sender: number) => ssh.open("direct-tcpip", sender, ...ends("db.internal", 5432, "127.0.0.1", 50_000));

export const CHANNELS: readonly Conversation[] = [
  {
    promise: "a forward is told with both its ends, and with its bytes when both sides have closed it",
    steps: [
      client(direct(3)),
      target(ssh.confirm(3, 0)),
      client(ssh.data(0, "question")),
      target(ssh.data(3, "ans"), ssh.data(3, "wer"), ssh.close(3)),
      client(ssh.close(0)),
    ],
    events: [
      {
        type: "channel-opened",
        channel: 1,
        kind: "direct-tcpip",
        by: "client",
        from: { host: "127.0.0.1", port: 50_000 },
        to: { host: "db.internal", port: 5432 },
      },
      { type: "channel-closed", channel: 1, kind: "direct-tcpip", by: "target", fromClient: 8, toClient: 6 },
    ],
  },
  {
    promise: "a channel that the target does not open says why, and one that policy withheld says that too",
    steps: [
      client(direct(3)),
      target(ssh.fail(3, 2, "Connection refused")),
      flagged(FLAG_WITHHELD, client(direct(3))),
      target(ssh.fail(3, 1, "not allowed by policy")),
    ],
    events: [
      { channel: 1, failed: { code: 2, message: "Connection refused" }, refused: undefined },
      { channel: 2, failed: { code: 1, message: "not allowed by policy" }, refused: true },
    ],
  },
  {
    promise: "channels of the target's are followed by their numbers, whichever side gave them",
    steps: [
      client(ssh.global("tcpip-forward", true, string(""), u32(0))),
      target(ssh.globalSuccess(u32(40_123))),
      target(ssh.open("forwarded-tcpip", 7, ...ends("localhost", 40_123, "10.0.0.9", 1234))),
      client(ssh.confirm(7, 0)),
      target(ssh.open("auth-agent@openssh.com", 0)),
      client(ssh.confirm(0, 7)),
      target(ssh.data(0, "in")),
      client(ssh.data(7, "out!"), ssh.close(7)),
      target(ssh.close(0)),
      client(ssh.data(0, "key")),
      client(ssh.global("cancel-tcpip-forward", true, string(""), u32(40_123))),
      target(ssh.globalSuccess()),
    ],
    events: [
      { type: "forward-listening", host: "", port: 40_123, outcome: "done" },
      { channel: 1, kind: "forwarded-tcpip", by: "target", to: { host: "localhost", port: 40_123 } },
      { channel: 2, kind: "auth-agent", by: "target", from: undefined },
      { type: "channel-closed", channel: 1, by: "client", fromClient: 4, toClient: 2 },
      { type: "forward-cancelled", port: 40_123, outcome: "done" },
      { type: "channel-closed", channel: 2, by: "session", fromClient: 3, toClient: 0 },
    ],
  },
  {
    promise: "answers to global requests are matched in their order, keepalives included",
    steps: [
      client(
        ssh.global("keepalive@openssh.com", true),
        ssh.global("tcpip-forward", true, string("0.0.0.0"), u32(80)),
        ssh.global("no-more-sessions@openssh.com", false),
      ),
      flagged(FLAG_WITHHELD, client(ssh.global("streamlocal-forward@openssh.com", true, string("/run/x")))),
      target(ssh.global("keepalive@openssh.com", true), ssh.globalFailure(), ssh.globalFailure(), ssh.globalFailure()),
      client(ssh.globalFailure(), ssh.global("tcpip-forward", true, string("::"), u32(81))),
    ],
    events: [
      { type: "forward-listening", host: "0.0.0.0", port: 80, outcome: "failed" },
      { type: "forward-listening", path: "/run/x", outcome: "refused" },
      { type: "forward-listening", host: "::", port: 81, outcome: "unknown" },
    ],
  },
  {
    promise: "a number that is used again is another channel",
    steps: [...opened(), ...closed(), ...opened(), client(ssh.exec(THEIRS, "true"))],
    events: [
      OPENED,
      CLOSED,
      { ...OPENED, channel: 2 },
      { type: "command-started", channel: 2, number: 1 },
      { type: "command-ended", channel: 2 },
      { ...CLOSED, channel: 2, by: "session" },
    ],
  },
  {
    promise: "a channel that nobody answered is told so when the session ends",
    steps: [client(ssh.open("session", MINE))],
    events: [{ ...OPENED, failed: { code: 0, message: "it was never answered" } }],
  },
];
