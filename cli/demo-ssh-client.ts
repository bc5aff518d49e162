import { once } from "node:events";
import ssh2, { type ClientChannel } from "ssh2";
import { SallyportError } from "../core/errors.ts";
import { type DemoStage, WEB_CONNECTION } from "./demo-stage.ts";

/** Somebody has to consent in the meantime. */
const TIMEOUT_MS = 30_000;
/** What the shell says when it waits for a line. */
const PROMPT = /\$ $/;

/** What a client saw of a command. */
export interface CommandSeen {
  readonly status: number | undefined;
  readonly output: string;
  readonly errors: string;
}

/** The engineer at ssh: one connection, on which each command has a channel of its own. */
export interface SshWorker {
  run(command: string): Promise<CommandSeen>;
  /** Opens a shell on a terminal and types lines, each when the shell waits for one; answers what the terminal showed. */
  type(lines: readonly string[], terminal: TerminalSize): Promise<string>;
  end(): void;
}

interface TerminalSize {
  readonly term: string;
  readonly cols: number;
  readonly rows: number;
}

/** Connects through the gateway, which must show its host key. Throws where anything fails or takes too long. */
export async function connectBySsh({ running }: DemoStage, pass: string): Promise<SshWorker> {
  const { host, ssh } = running.gateway;
  if (ssh === undefined) throw new SallyportError("internal", "the gateway takes no SSH connections");
  const [, hostKey = ""] = ssh.hostKey.split(" ");
  const client = new ssh2.Client();
  client.connect({
    host,
    port: ssh.port,
    username: WEB_CONNECTION,
    password: pass,
    hostVerifier: (key: Buffer) => key.equals(Buffer.from(hostKey, "base64")),
  });
  await once(client, "ready");
  const failed = new Promise<never>((_, reject) => {
    client.on("error", reject);
    client.on("close", () => reject(new SallyportError("internal", "the SSH connection is gone")));
  });
  failed.catch(() => {}); // after the last command nobody waits for it
  return {
    run: async (command) => Promise.race([failed, opened((done) => client.exec(command, done), seen)]),
    type: async (lines, terminal) =>
      Promise.race([
        failed,
        opened(
          (done) => client.shell(terminal, done),
          (channel) => typed(channel, lines),
        ),
      ]),
    end: () => void client.end(),
  };
}

type Opened = (error: Error | undefined, channel: ClientChannel) => void;

/** Whoever uses the channel begins at once: how a short command ended is told with its start, and not again. */
function opened<T>(open: (done: Opened) => void, use: (channel: ClientChannel) => Promise<T>): Promise<T> {
  return new Promise((done, failed) => open((error, channel) => (error ? failed(error) : done(use(channel)))));
}

async function seen(channel: ClientChannel): Promise<CommandSeen> {
  let [output, errors] = ["", ""];
  let status: number | undefined;
  channel.on("data", (bytes: Buffer) => (output += bytes.toString()));
  channel.stderr.on("data", (bytes: Buffer) => (errors += bytes.toString()));
  channel.on("exit", (code: number | null) => (status = code ?? undefined));
  channel.end();
  await closed(channel);
  return { status, output, errors };
}

async function typed(channel: ClientChannel, lines: readonly string[]): Promise<string> {
  const waiting = [...lines];
  let [shown, from] = ["", 0];
  channel.on("data", (bytes: Buffer) => {
    shown += bytes.toString();
    if (!PROMPT.test(shown.slice(from))) return;
    from = shown.length;
    const line = waiting.shift();
    if (line !== undefined) channel.write(`${line}\r`);
  });
  await closed(channel);
  return shown;
}

async function closed(channel: ClientChannel): Promise<void> {
  try {
    await once(channel, "close", { signal: AbortSignal.timeout(TIMEOUT_MS) });
  } catch (cause) {
    throw new SallyportError("internal", "a command over SSH took too long", { cause });
  }
}
