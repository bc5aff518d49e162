import { type Logger, pino } from "pino";

const LEVELS: ReadonlySet<string> = new Set(["trace", "debug", "info", "warn", "error", "fatal", "silent"]);

/** Structured lines on standard output, where Lambda takes them. A level that is none of pino's is `info`. */
export function lambdaLogger(level: string | undefined): Logger {
  return pino({ level: level !== undefined && LEVELS.has(level) ? level : "info", base: null });
}
