import net from "node:net";
import ssh2 from "ssh2";
import type { SshConnection } from "../../core/config/connections.ts";
import { SallyportError } from "../../core/errors.ts";
import type { Clock } from "../../core/ports/clock.ts";
import type { TargetCredentials } from "../session.ts";
import { ALGORITHMS } from "./algorithms.ts";
import { HostTrust } from "./host-trust.ts";
import { type Leg, targetLeg } from "./leg.ts";
import { sessionCertificate } from "./session-certificate.ts";

/** From the first packet to the end of the log-in at the target. Many log-ins at once take their time. */
const LOG_IN_TIMEOUT_MS = 60_000;
const CONNECT_TIMEOUT_MS = 10_000;
const KEEPALIVE_MS = 60_000;

interface Opening {
  /** What the target's log will call the session, where it is let in by a certificate. */
  readonly called: string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/**
 * Connects to a target, verifies that its host key is one that the connection names, or is certified by whom it names, and logs in.
 * Throws `target-unreachable`, `target-untrusted`, `target-refused` or `configuration-invalid`; what `signal` gives as its reason where
 * it is aborted.
 */
export async function openTarget(
  { target, credentials: named }: SshConnection,
  { user, secret }: TargetCredentials,
  { called, clock, signal }: Opening,
): Promise<Leg<"target">> {
  const issued =
    "certificateAuthority" in named ? sessionCertificate(secret ?? "", { user, called }, clock()) : undefined;
  const socket = await dial(target, signal);
  const client = new ssh2.Client();
  const trust = new HostTrust(target, clock);
  const ready = new Promise<void>((done, failed) => {
    client.once("ready", done);
    client.once("close", () => failed(new SallyportError("target-unreachable", "the target closed the connection")));
    client.on("error", (error) => failed(faultOf(error, target, user, trust.shown)));
    signal.addEventListener("abort", () => failed(signal.reason), { once: true });
  });
  ready.catch(() => {}); // where what follows throws, nobody waits for it
  client.on("keyboard-interactive", (_name, _instructions, _language, prompts, answer) => {
    answer(prompts.map(() => secret ?? ""));
  });
  try {
    client.connect({
      sock: socket,
      username: user,
      ...("password" in named
        ? { password: secret ?? "", tryKeyboard: true }
        : { privateKey: issued?.privateKey ?? secret ?? "" }),
      algorithms: { ...ALGORITHMS, serverHostKey: [...trust.algorithms] as never },
      hostVerifier: (key: Buffer) => trust.accepts(key),
      ident: "Sallyport",
      readyTimeout: LOG_IN_TIMEOUT_MS,
    });
    const leg = targetLeg(client, issued);
    await ready;
    return leg;
  } catch (thrown) {
    socket.destroy();
    throw thrown instanceof SallyportError ? thrown : faultOf(thrown as Error, target, user, trust.shown);
  }
}

function dial({ host, port }: SshConnection["target"], signal: AbortSignal): Promise<net.Socket> {
  const unreachable = (why: string, cause?: unknown): SallyportError =>
    new SallyportError("target-unreachable", `the target ${host}:${port} cannot be reached: ${why}`, { cause });
  return new Promise((done, failed) => {
    const socket = net.connect({ host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEPALIVE_MS });
    const fail = (error: Error): void => {
      socket.destroy();
      failed(error);
    };
    const late = setTimeout(() => fail(unreachable("no answer within 10 s")), CONNECT_TIMEOUT_MS);
    const aborted = (): void => fail(signal.reason as Error);
    signal.addEventListener("abort", aborted, { once: true });
    socket.once("close", () => {
      clearTimeout(late);
      signal.removeEventListener("abort", aborted);
    });
    socket.once("connect", () => {
      clearTimeout(late);
      signal.removeEventListener("abort", aborted);
      done(socket);
    });
    socket.on("error", (error) => fail(unreachable(error.message, error)));
    if (signal.aborted) aborted();
  });
}

function faultOf(
  error: Error & { level?: string },
  { host, port }: SshConnection["target"],
  user: string,
  shown: string | undefined,
): SallyportError {
  if (error instanceof SallyportError) return error;
  const where = `${host}:${port}`;
  if (/verification failed|no matching (?:host key|server host key)/i.test(error.message))
    return new SallyportError("target-untrusted", `the target ${where} shows a host key that is not the connection's`, {
      hint: `It showed ${shown ?? "none of the kinds that are asked for"}. Whoever keeps connections.yaml can check it.`,
      cause: error,
    });
  if (error.level === "client-authentication")
    return new SallyportError("target-refused", `the target ${where} does not let the gateway log in as ${user}`, {
      hint: "Whoever keeps the connection's credentials can mend it.",
      cause: error,
    });
  return new SallyportError("target-unreachable", `the target ${where} cannot be reached: ${error.message}`, {
    cause: error,
  });
}
