import { redactPasses } from "../../core/identity/pass.ts";
import { commandFacts } from "../../core/policy/command-facts.ts";
import { UNGUARDED } from "../../core/policy/unguarded.ts";
import type { Ask, Policies, Verdict } from "../../core/policy/verdict.ts";
import type { Clock } from "../../core/ports/clock.ts";
import { digestOf, type Ruling } from "../ruling.ts";
import { factsOfLine } from "./lines/line-facts.ts";
import type { FileAccess } from "./sftp-gate.ts";

/** What a client asks that is not its own affair. */
export type Asked =
  | { readonly kind: "shell" | "agent" | "x11" }
  /** In a directory, where that is not the one in which commands begin. */
  | { readonly kind: "command"; readonly command: Buffer; readonly directory?: Buffer }
  /** A line that is typed into a shell: each of the texts is what may be entered. What is hidden must not be shown to approvers. */
  | { readonly kind: "line"; readonly readings: readonly string[]; readonly hidden: boolean }
  | { readonly kind: "subsystem"; readonly name: string }
  /** What one request of the file transfer protocol does. */
  | { readonly kind: "files"; readonly accesses: readonly FileAccess[]; readonly request: Buffer }
  /** A connection through the target. */
  | { readonly kind: "forward"; readonly host: string; readonly port: number }
  /** Connections that the target is to take for the client. */
  | { readonly kind: "listen"; readonly host: string; readonly port: number };

interface GateOptions {
  readonly policies: () => Policies;
  readonly who: Omit<Ask, "now">;
  readonly clock: Clock;
}

/** Judges what one session's client asks. Pure but for the clock. */
export class Gate {
  readonly #options: GateOptions;

  constructor(options: GateOptions) {
    this.#options = options;
  }

  /** Of the policies that judge now. */
  get version(): string {
    return this.#options.policies().version;
  }

  /** Whether there are policies at all. */
  get judges(): boolean {
    return this.#options.policies() !== UNGUARDED;
  }

  judge(asked: Asked): Ruling {
    const { who, clock } = this.#options;
    const policies = this.#options.policies();
    const verdict = verdictOf(policies, { ...who, now: clock() }, asked);
    if (verdict.kind === "allow") return { kind: "pass" };
    const { version: policyVersion } = policies;
    if (verdict.kind === "block") return { ...verdict, policyVersion };
    const shown = shownOf(asked);
    const digest = digestOf(`ssh ${asked.kind}`, exactly(asked, shown));
    return { ...verdict, policyVersion, shown: redactPasses(shown), digest };
  }
}

/** What an approval is for, to the byte. */
function exactly(asked: Asked, shown: string): readonly (Buffer | string)[] {
  if (asked.kind === "files") return [asked.request];
  if (asked.kind === "line") return asked.readings;
  if (asked.kind !== "command") return [shown];
  return asked.directory === undefined ? [asked.command] : [asked.command, asked.directory];
}

function verdictOf(policies: Policies, ask: Ask, asked: Asked): Verdict {
  switch (asked.kind) {
    case "command":
      return policies.command(ask, commandFacts(asked.command.toString("utf8"), asked.directory?.toString("utf8")));
    case "line": {
      const facts = asked.readings.flatMap((text) => factsOfLine(text, asked.hidden));
      const verdicts = facts.map((one) => policies.command(ask, one));
      const verdict: Verdict = verdicts.length === 0 ? { kind: "allow", policies: [] } : strictestOf(verdicts);
      if (verdict.kind !== "hold" || !asked.hidden) return verdict;
      return { kind: "block", policies: verdict.policies, reason: `${verdict.reason}: ${HIDDEN}` };
    }
    case "files":
      return strictestOf(asked.accesses.map((access) => policies.file(ask, access)));
    case "forward":
      return policies.forward(ask, asked);
    case "listen":
      return policies.listen(ask, asked);
    case "subsystem":
      // What is done by it is judged request by request.
      return asked.name === "sftp" ? { kind: "allow", policies: [] } : policies.ssh(ask, "ssh:subsystem");
    case "shell":
    case "agent":
    case "x11":
      return policies.ssh(ask, `ssh:${asked.kind}`);
  }
}

/** Of several things that happen together or not at all. */
function strictestOf(verdicts: readonly Verdict[]): Verdict {
  const block = verdicts.find(({ kind }) => kind === "block");
  const [hold, ...others] = verdicts.filter((verdict) => verdict.kind === "hold");
  if (block !== undefined || hold === undefined)
    return block ?? verdicts[0] ?? { kind: "block", policies: [], reason: NOTHING };
  return others.reduce(bothOf, hold);
}

const HIDDEN = "it was typed before the terminal could show it, enter it at the prompt";
const NOTHING = "the gateway does not know what this does";

type Held = Extract<Verdict, { kind: "hold" }>;

function bothOf(one: Held, other: Held): Held {
  const counts = new Map<string, number>();
  for (const { group, count } of [...one.consents, ...other.consents])
    counts.set(group, Math.max(count, counts.get(group) ?? 0));
  const consents = [...counts].map(([group, count]) => ({ group, count }));
  return { ...one, policies: [...new Set([...one.policies, ...other.policies])], consents };
}

/** As approvers are shown it. */
function shownOf(asked: Asked): string {
  switch (asked.kind) {
    case "command": {
      const text = asked.command.toString("utf8");
      return asked.directory === undefined ? text : `${text}\n(in ${asked.directory.toString("utf8")})`;
    }
    case "line":
      return `typed into a shell: ${asked.readings.join("\nor, as the keys tell it: ")}`;
    case "subsystem":
      return `the subsystem ${asked.name}`;
    case "files":
      return asked.accesses.map(({ operation, path }) => `${operation} ${path}`).join("\n");
    case "forward":
      return `a connection through the target to ${asked.host}:${asked.port}`;
    case "listen":
      return `connections that the target takes at ${asked.host}:${asked.port}`;
    case "shell":
      return "an interactive shell";
    case "agent":
      return "the use of the client's keys at the target (agent forwarding)";
    case "x11":
      return "the use of the client's display at the target (X11 forwarding)";
  }
}
