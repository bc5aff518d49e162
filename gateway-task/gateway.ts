import type { Logger } from "pino";
import { SallyportError } from "../core/errors.ts";
import type { Connections } from "../core/config/connections.ts";
import { loadSqlParser } from "../core/policy/sql-parser.ts";
import { loadShellParser } from "../core/policy/shell-parser.ts";
import { statementFacts } from "../core/policy/statement-facts.ts";
import type { Policies } from "../core/policy/verdict.ts";
import type { ApprovalDesk } from "../core/ports/approval-desk.ts";
import type { CancelKeys } from "../core/ports/cancel-keys.ts";
import type { Clock } from "../core/ports/clock.ts";
import type { LeaseStore } from "../core/ports/lease-store.ts";
import type { PassStore } from "../core/ports/pass-store.ts";
import { newHeldLimits } from "./consent.ts";
import type { Counters } from "./counters.ts";
import { watchSessions } from "./live-sessions.ts";
import { newFactsReader } from "./postgres/facts-reader.ts";
import { newMaskers } from "./postgres/masking/open-masker.ts";
import { listenForPostgres, type PostgresListenerDeps } from "./postgres/listener.ts";
import { listenForSsh, type SshListenerDeps } from "./ssh/listener.ts";
import { newSourceLimits } from "./source-limits.ts";
import { type RecorderStanding, startRecorder } from "./recorder/recorder.ts";
import type { EvidenceStores } from "./recorder/closing.ts";
import type { TargetSecretDeps } from "./target-secret.ts";

/** How long sessions have to end by themselves once they have been told to. */
const SESSIONS_END_MS = 2_500;

export interface GatewayDeps extends EvidenceStores, TargetSecretDeps {
  readonly spool: string;
  /** A name of this process's own, different at every start. */
  readonly task: string;
  readonly connections: () => Connections;
  readonly policies: () => Policies;
  readonly approvals: ApprovalDesk;
  /** What is masked on a connection, now; nothing where it is not given. */
  readonly masking?: PostgresListenerDeps["masking"];
  readonly passes: PassStore;
  readonly cancelKeys: CancelKeys;
  readonly leases: LeaseStore;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Where what happens is counted, for whoever reads it. */
  readonly counters?: Counters | undefined;
  readonly postgres: Pick<PostgresListenerDeps, "listen" | "tls" | "plaintextOnLoopback">;
  /** A port for what speaks TLS from its first byte, beside the others. Not given: there is none. */
  readonly tlsListen?: PostgresListenerDeps["listen"] | undefined;
  /** Not given: nothing listens for SSH. */
  readonly ssh?:
    Pick<SshListenerDeps, "listen" | "hostKey" | "deviceLink" | "signIns" | "people" | "sshKeys"> | undefined;
}

export interface Gateway {
  readonly postgresPort: number;
  readonly sshPort: number | undefined;
  readonly tlsPort: number | undefined;
  readonly liveSessions: number;
  /** Statements, commands and log-ins that wait for consent. */
  readonly heldStatements: number;
  readonly standing: RecorderStanding;
  /** Why a session would be refused that came now: it could not be recorded. Undefined while it could. */
  readonly fault: SallyportError | undefined;
  /** Resolves when nothing can be recorded any more: nobody is let in from then on, and only a new process mends it. */
  readonly failed: Promise<SallyportError>;
  /** Refuses new connections; live sessions, and log-ins that have begun, go on. */
  drain(): void;
  /** Refuses new connections, ends live ones with a clear error, and stores what was recorded, within `withinMs`. */
  close(withinMs: number): Promise<void>;
}

/** Starts a gateway task: recorder first, so that nothing can connect before it could be recorded. */
export async function startGateway(deps: GatewayDeps): Promise<Gateway> {
  await Promise.all([loadSqlParser(), deps.ssh && loadShellParser()]);
  const recorder = await startRecorder(deps);
  const live = watchSessions(deps.passes, deps.clock, deps.logger);
  recorder.onFailure((error) => live.endAll("recording-failed", error));
  const failed = new Promise<SallyportError>((done) => recorder.onFailure(done));
  const facts = newFactsReader(statementFacts);
  const guard = { facts, held: newHeldLimits() };
  const openMasker = newMaskers();
  const listening: Partial<Record<"postgres" | "tls" | "ssh", { readonly port: number; close(): void }>> = {};
  const stopListening = (): void => {
    for (const listener of Object.values(listening)) listener.close();
  };
  try {
    const postgres = { ...deps, ...deps.postgres, ...guard, recorder, live, openMasker, limits: newSourceLimits() };
    listening.postgres = await listenForPostgres(postgres);
    if (deps.tlsListen)
      listening.tls = await listenForPostgres({ ...postgres, listen: deps.tlsListen, directTls: true });
    if (deps.ssh) listening.ssh = await listenForSsh({ ...deps.ssh, ...deps, ...guard, recorder, live });
  } catch (error) {
    stopListening();
    live.close();
    await recorder.close(SESSIONS_END_MS);
    throw error;
  }
  return {
    postgresPort: listening.postgres?.port ?? 0,
    sshPort: listening.ssh?.port,
    tlsPort: listening.tls?.port,
    failed,
    get liveSessions() {
      return live.size;
    },
    get heldStatements() {
      return guard.held.size;
    },
    get standing() {
      return recorder.standing;
    },
    get fault() {
      return recorder.fault;
    },
    drain: stopListening,
    async close(withinMs) {
      stopListening();
      live.endAll("shutting-down", new SallyportError("shutting-down", "the gateway is being shut down"));
      live.close();
      const started = performance.now();
      const until = started + Math.min(SESSIONS_END_MS, withinMs);
      while (live.size > 0 && performance.now() < until) await new Promise((done) => setTimeout(done, 20));
      facts.close();
      await recorder.close(Math.max(0, withinMs - (performance.now() - started)));
    },
  };
}
