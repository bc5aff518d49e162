import { randomBytes } from "node:crypto";
import { pino } from "pino";
import { beforeEach, describe, expect, it } from "vitest";
import { parseConnections } from "../../core/config/connections.ts";
import { UNGUARDED } from "../../core/policy/unguarded.ts";
import { SallyportError } from "../../core/errors.ts";
import { mintPass } from "../../core/identity/pass.ts";
import type { PrincipalId } from "../../core/identity/principal.ts";
import type { Pass, PassId } from "../../core/ports/pass-store.ts";
import type { Recorder } from "../../gateway-task/recorder/recorder.ts";
import type { SessionRecorder } from "../../gateway-task/recorder/session-recorder.ts";
import { type Login, openSession, type SessionDeps } from "../../gateway-task/session.ts";

const NOW = 1_800_000_000_000;
const { text } = mintPass(randomBytes);
const LATE = new SallyportError("handshake-timeout", "the log-in took too long");
const login: Login = {
  protocol: "postgres",
  connection: "shop",
  database: undefined,
  pass: text,
  settings: new Map(),
  client: "192.0.2.1:5",
};
const principal = { kind: "user" as const, id: "ana" as PrincipalId, name: "Ana", groups: ["engineers"] };
const pass: Pass = {
  id: "pass-1" as PassId,
  principal,
  connection: undefined,
  label: "",
  issuedAt: NOW,
  expiresAt: NOW + 1_000,
  revokedAt: undefined,
};
const connections = parseConnections({
  connections: {
    shop: {
      protocol: "postgres",
      description: "",
      target: { host: "db.internal", port: 5432, database: "shop", tls: { mode: "disable" } },
      credentials: { user: "app", password: { secret: "target" } },
      access: ["engineers"],
    },
  },
});

/** What each step waits for: the test answers it, or never does. */
type Step = "identify" | "record" | "secret" | "connect";
let answer: Record<Step, PromiseWithResolvers<void>>;
let asked: Step[];
let sealed: string[];
let deadline: AbortController;

beforeEach(() => {
  answer = { identify: Promise.withResolvers(), record: Promise.withResolvers(), secret: Promise.withResolvers(), connect: Promise.withResolvers() }; // prettier-ignore
  asked = [];
  sealed = [];
  deadline = new AbortController();
});

async function step<T>(name: Step, value: T): Promise<T> {
  asked.push(name);
  await answer[name].promise;
  return value;
}

const open = () => {
  const recorder = {
    open: () => step("record", {} as SessionRecorder),
    seal: (_: SessionRecorder, reason: string) => void sealed.push(reason),
  } as unknown as Recorder;
  const deps = {
    connections: () => connections,
    passes: { find: () => step("identify", pass) },
    policies: () => UNGUARDED,
    secrets: { get: () => step("secret", "password") },
    recorder,
    clock: () => NOW,
    logger: pino({ level: "silent" }),
  } as unknown as SessionDeps;
  const connect = async (): Promise<string> => {
    await Promise.race([step("connect", ""), new Promise((_, no) => deadline.signal.addEventListener("abort", () => no(LATE)))]); // prettier-ignore
    return "target";
  };
  return openSession(deps, login, connect, { told: () => {}, signal: deadline.signal });
};
const STEPS: readonly Step[] = ["identify", "record", "secret", "connect"];

describe("the opening of a session", () => {
  it("takes its steps in order, each when the one before is done", async () => {
    const opened = open();
    for (const [at, name] of STEPS.entries()) {
      await expect.poll(() => asked).toEqual(STEPS.slice(0, at + 1));
      answer[name].resolve();
    }
    expect(await opened).toMatchObject({ target: "target" });
    expect(sealed).toEqual([]);
  });

  it.each(STEPS)("is given up when %s does not answer in time, and leaves no recording open", async (stuck) => {
    for (const name of STEPS) if (name !== stuck) answer[name].resolve();
    const opened = open();
    await expect.poll(() => asked.at(-1)).toBe(stuck);
    deadline.abort(LATE);
    await expect(opened).rejects.toBe(LATE);
    answer[stuck].resolve(); // too late
    const ended = stuck === "identify" ? [] : ["refused"];
    await new Promise((done) => setImmediate(done));
    expect(sealed).toEqual(ended);
    expect(asked).toEqual(STEPS.slice(0, STEPS.indexOf(stuck) + 1));
  });
});
