import { type Logger, pino } from "pino";
import { visible } from "../core/recording/visible.ts";

interface Sink {
  write(text: string): void;
}

/** pino's own numbers, by name. */
const LEVELS: Readonly<Record<number, string>> = {
  10: "trace",
  20: "debug",
  30: "info",
  40: "warn",
  50: "error",
  60: "fatal",
};
const LEVEL_WIDTH = 5;
/** What every line has, or what the short form shows in its own place. */
const OWN: ReadonlySet<string> = new Set(["level", "time", "msg", "err", "causes"]);

/**
 * Structured logs.
 * @param to     where they go: the process's standard error, or a file
 * @param short  lines for people in place of JSON
 */
export function newLogger(to: Sink, options: { readonly level: string; readonly short: boolean }): Logger {
  const sink = options.short ? { write: (line: string) => to.write(`${shortLine(line)}\n`) } : to;
  return pino({ level: options.level, base: null }, sink);
}

/** One line of JSON as a person reads it; a terminal shows it as it is. */
function shortLine(line: string): string {
  const entry = JSON.parse(line) as Record<string, unknown>;
  const rest = Object.entries(entry).filter(([name]) => !OWN.has(name));
  const level = LEVELS[Number(entry["level"])] ?? "";
  const time = new Date(Number(entry["time"])).toISOString().slice(11, 23);
  const fields = rest.map(([name, value]) => `${name}=${plain(value)}`);
  return visible([time, level.padEnd(LEVEL_WIDTH), plain(entry["msg"]), ...fields, ...faults(entry)].join(" "));
}

function faults({ err, causes }: Record<string, unknown>): string[] {
  const { message, code } = (err ?? {}) as { readonly message?: unknown; readonly code?: unknown };
  if (message !== undefined) return [`(${plain(code ?? "error")}: ${plain(message)})`];
  return Array.isArray(causes) ? [`(${causes.map((cause) => plain(cause).split("\n", 1)[0]).join("; ")})`] : [];
}

function plain(value: unknown): string {
  return typeof value === "string" ? value : (JSON.stringify(value) ?? "");
}
