import type { Instant } from "../../core/brand.ts";
import type { Abandoned } from "./abandoned.ts";

/** The namespace of all our figures (`gateway-task/metrics.ts`). */
const NAMESPACE = "Sallyport";

/** One line of CloudWatch's embedded metric format, without its end: the figures, and no dimension. */
export function metricLine(found: Abandoned, at: Instant): string {
  const figures = {
    AbandonedSpools: [found.abandonedSpools, "Count"],
    AbandonedSessions: [found.abandonedSessions, "Count"],
    OldestAbandonedSeconds: [found.oldestSeconds, "Seconds"],
    IndexedLiveSessions: [found.liveSessions, "Count"],
  } as const;
  const Metrics = Object.entries(figures).map(([Name, [, Unit]]) => ({ Name, Unit }));
  const values = Object.fromEntries(Object.entries(figures).map(([name, [value]]) => [name, value]));
  const aws = { Timestamp: at, CloudWatchMetrics: [{ Namespace: NAMESPACE, Dimensions: [[]], Metrics }] };
  return JSON.stringify({ _aws: aws, ...values });
}
