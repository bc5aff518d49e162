import { visibleLines } from "./visible.ts";

/** What was recorded of users stands behind this, so that no text of theirs passes for a line of ours. */
export const INDENT = "    ";

/** A line of ours with a text of theirs; the text's own further lines are indented. */
export function said(ours: string, theirs: string): string[] {
  const [first = "", ...rest] = visibleLines(theirs);
  return ["", `${ours}  ${first}`.trimEnd(), ...rest.map((line) => INDENT + line)];
}

/** Hours, minutes, seconds and milliseconds since the session's start. */
export function formatOffset(micros: number): string {
  const millis = Math.floor(micros / 1_000);
  const parts = [Math.floor(millis / 3_600_000), Math.floor(millis / 60_000) % 60, Math.floor(millis / 1_000) % 60];
  const clock = parts.map((part) => String(part).padStart(2, "0")).join(":");
  return `${clock}.${String(millis % 1_000).padStart(3, "0")}`;
}

/** Microseconds in the unit that suits them. */
export function formatDuration(micros: number): string {
  if (micros < 1_000) return `${Math.round(micros)} µs`;
  if (micros < 1_000_000) return `${(micros / 1_000).toFixed(1)} ms`;
  return `${(micros / 1_000_000).toFixed(2)} s`;
}

/** A moment in UTC; whatever number it is, since recordings may be forged. */
export function formatInstant(millis: number): string {
  const date = new Date(millis);
  return Number.isNaN(date.getTime()) ? `${millis} ms` : date.toISOString();
}
