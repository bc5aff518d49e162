import { z } from "zod";
import { type Environment, arnOf, origin, told, whole } from "./told.ts";

/** Fargate kills a task this long after it was told to stop, at most (`stopTimeout`). */
export const STOP_WITHIN_SECONDS = 120;
/** Of that, for ended sessions to be stored. */
export const CLOSE_WITHIN_SECONDS = 30;
/** Of that, for what can be late: the signal, a flush, the lease. */
const SPARE_SECONDS = 10;
const MAX_DRAIN_SECONDS = STOP_WITHIN_SECONDS - CLOSE_WITHIN_SECONDS - SPARE_SECONDS;
/** 0 is the operating system's choice. */
const port = (otherwise: number) => whole(0, 65_535, otherwise);
const LEVELS = ["trace", "debug", "info", "warn", "error", "fatal"] as const;

/**
 * What a gateway task is told beside the names of its stores (`aws/state.ts`): where it listens, what it shows, how it ends.
 * Throws `configuration-invalid` with a sentence for each fault.
 */
export function taskSettings(environment: Environment) {
  return told(environment, {
    tlsSecret: arnOf("secretsmanager"),
    sshHostKeySecret: arnOf("secretsmanager"),
    maskingKeySecret: arnOf("secretsmanager"),
    publicUrl: origin,
    logLevel: z.enum(LEVELS, `is none of ${LEVELS.join(", ")}`).default("info"),
    listenHost: z.union([z.ipv4(), z.ipv6()], "is no address").default("0.0.0.0"),
    postgresPort: port(5432),
    sshPort: port(2222),
    tlsPort: port(8443),
    healthPort: port(8080),
    drainSeconds: whole(0, MAX_DRAIN_SECONDS, MAX_DRAIN_SECONDS),
    protectionHours: whole(1, 48, 12),
    ecsAgent: z.url("is no URL").optional(),
  });
}
