// The entry point of the image: a gateway task on the ports of AWS.
import { randomBytes, randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { createSecureContext } from "node:tls";
import type { Logger } from "pino";
import { followConfiguration } from "../aws/configuration.ts";
import { type AwsState, awsState } from "../aws/state.ts";
import { CLOSE_WITHIN_SECONDS, taskSettings } from "../aws/task-settings.ts";
import { approvalDesk } from "../core/approval/desk.ts";
import { auditTo } from "../core/audit/audit.ts";
import type { Configuration } from "../core/config/configuration.ts";
import { asSallyportError, SallyportError } from "../core/errors.ts";
import { devicePage } from "../core/identity/device-sign-in.ts";
import { newCounters } from "./counters.ts";
import { type Gateway, type GatewayDeps, startGateway } from "./gateway.ts";
import { startHealth } from "./health.ts";
import { untilOver } from "./lifetime.ts";
import { startMetrics } from "./metrics.ts";
import { stopSignal } from "./stop-signal.ts";
import { taskLog, taskOutput } from "./task-log.ts";
import { protectWhileLive } from "./task-protection.ts";

type Settings = ReturnType<typeof taskSettings>;
type Desk = ReturnType<typeof approvalDesk>;

const HOUR_MS = 3_600_000;

const counters = newCounters();
const stdout = taskOutput();
let logger: Logger = taskLog("info", counters, stdout);
const stopped = stopSignal((signal) => logger.info({ signal }, "told to stop"));
const status = await run().then(
  () => 0,
  (thrown: unknown) => {
    const error = asSallyportError(thrown, "internal", "the gateway failed");
    logger.fatal({ err: thrown, code: error.code, hint: error.hint }, error.message);
    return 1;
  },
);
// What is still under way, such as a call that a store does not answer, is not waited for.
process.exit(status);

/** From the environment to the end. Rejects where it cannot start, or can record no more. */
async function run(): Promise<void> {
  const settings = taskSettings(process.env);
  logger = taskLog(settings.logLevel, counters, stdout);
  const state = await awsState(process.env);
  const maskingKey = await state.programSecrets.key(settings.maskingKeySecret);
  const configuration = await followConfiguration({ store: state.configurations, maskingKey, logger });
  const desk = deskOf(settings, state);
  const deps = await gatewayDeps(settings, state, configuration, desk);
  const failure = await live(settings, await startGateway(deps), deps.task);
  desk.close();
  configuration.close();
  state.close();
  if (failure !== undefined) throw failure;
  logger.info("ended");
}

/** Mails go out by the table's stream (`functions/notify`): to write a request is all that is to be done here. */
function deskOf({ publicUrl }: Settings, { approvalStore: store, auditLog }: AwsState): Desk {
  const link = (id: string): string => `${publicUrl}/approvals/${id}`;
  const audit = auditTo(auditLog, randomUUID);
  return approvalDesk({ store, audit, clock: Date.now, random: randomBytes, link, tell: () => {} });
}

async function gatewayDeps(
  settings: Settings,
  state: AwsState,
  configuration: Configuration,
  approvals: Desk,
): Promise<GatewayDeps> {
  const { listenHost: host, publicUrl } = settings;
  const { cert, key } = await state.programSecrets.tls(settings.tlsSecret);
  const hostKey = await state.programSecrets.text(settings.sshHostKeySecret);
  return {
    ...state,
    task: `${hostname()}-${randomBytes(4).toString("hex")}`,
    connections: configuration.connections,
    policies: configuration.policies,
    masking: ({ name, environment }) => configuration.masking()?.forConnection(name, environment),
    approvals,
    clock: Date.now,
    logger,
    counters,
    postgres: {
      listen: { host, port: settings.postgresPort },
      tls: secureContext(cert, key),
      plaintextOnLoopback: false,
    },
    tlsListen: { host, port: settings.tlsPort },
    ssh: {
      listen: { host, port: settings.sshPort },
      hostKey,
      deviceLink: (userCode) => devicePage(publicUrl, userCode),
      signIns: state.signIns,
      people: state.people,
      sshKeys: state.sshKeys,
    },
  };
}

function secureContext(cert: string, key: string): ReturnType<typeof createSecureContext> {
  try {
    return createSecureContext({ cert, key });
  } catch (cause) {
    throw new SallyportError("configuration-invalid", "the gateway's certificate and its key are no pair", {
      cause,
      hint: "docs/runbook.md says how the certificate is replaced.",
    });
  }
}

/** The life of a gateway, with what tells of it and keeps it. Answers the failure that ended it. */
async function live(settings: Settings, gateway: Gateway, task: string): Promise<SallyportError | undefined> {
  let draining = false;
  const { listenHost: host, healthPort: port, ecsAgent: agent } = settings;
  const healthy = (): boolean => !draining && gateway.fault === undefined;
  const health = await startHealth({ listen: { host, port }, healthy, logger });
  const write = (line: string): void => void stdout.write(`${line}\n`);
  const metrics = startMetrics({ gateway, counters, task, clock: Date.now, write });
  const liveSessions = (): number => gateway.liveSessions;
  const longestMs = settings.protectionHours * HOUR_MS;
  const protection = agent === undefined ? undefined : protectWhileLive({ agent, liveSessions, longestMs, logger });
  const ports = {
    postgres: gateway.postgresPort,
    ssh: gateway.sshPort,
    tls: gateway.tlsPort,
    health: health.port,
  };
  logger.info({ task, ...ports }, "ready");
  const failure = await untilOver({
    gateway,
    stopped,
    draining: () => void (draining = true),
    drainMs: settings.drainSeconds * 1_000,
    closeMs: CLOSE_WITHIN_SECONDS * 1_000,
    logger,
  });
  await protection?.close();
  metrics.close();
  health.close();
  return failure;
}
