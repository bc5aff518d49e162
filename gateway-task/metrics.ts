import type { Clock } from "../core/ports/clock.ts";
import { type Counters, takeCounts } from "./counters.ts";
import type { Gateway } from "./gateway.ts";

/** What the dashboard and the alarms ask for. */
const METRICS_NAMESPACE = "Sallyport";
/** CloudWatch keeps a minute as its shortest period of a standard metric. */
const EVERY_MS = 60_000;

export interface MetricsOptions {
  readonly gateway: Pick<Gateway, "liveSessions" | "heldStatements" | "standing">;
  readonly counters: Counters;
  readonly task: string;
  readonly clock: Clock;
  /** Takes a line, without its end. */
  readonly write: (line: string) => void;
  readonly everyMs?: number;
}

/** Writes the figures every minute, and once more when it is closed. */
export function startMetrics({ everyMs = EVERY_MS, ...options }: MetricsOptions): { close(): void } {
  const tell = (): void => {
    for (const line of metricLines(options)) options.write(line);
  };
  const timer = setInterval(tell, everyMs);
  return {
    close() {
      clearInterval(timer);
      tell();
    },
  };
}

interface Metric {
  readonly Name: string;
  readonly Unit: "Count" | "Milliseconds" | "Seconds";
}

/**
 * The figures in CloudWatch's embedded metric format, one JSON document a line. No dimension names a task, a person or a connection:
 * each value of a dimension is a metric of its own that is paid for. The task stands beside the figures, where logs are searched.
 * Takes the counts: what was told once is not told again.
 */
export function metricLines({ gateway, counters, task, clock }: Omit<MetricsOptions, "write" | "everyMs">): string[] {
  const { verdicts, maskedValues, uploadFailures, errors } = takeCounts(counters);
  const { lagMs, spoolAgeMs } = gateway.standing;
  const timestamp = clock();
  const figures = {
    LiveSessions: [gateway.liveSessions, "Count"],
    HeldStatements: [gateway.heldStatements, "Count"],
    MaskedValues: [maskedValues, "Count"],
    RecorderLagMs: [Math.round(lagMs), "Milliseconds"],
    SpoolAgeSeconds: [Math.round(spoolAgeMs / 1_000), "Seconds"],
    UploadFailures: [uploadFailures, "Count"],
    Errors: [errors, "Count"],
  } as const satisfies Record<string, readonly [number, Metric["Unit"]]>;
  const metrics = Object.entries(figures).map(([Name, [, Unit]]): Metric => ({ Name, Unit }));
  const values = Object.fromEntries(Object.entries(figures).map(([name, [value]]) => [name, value]));
  const judged = Object.entries(verdicts).map(([Verdict, Verdicts]) =>
    documentOf(timestamp, [["Verdict"]], [{ Name: "Verdicts", Unit: "Count" }], { task, Verdict, Verdicts }),
  );
  return [documentOf(timestamp, [[]], metrics, { task, ...values }), ...judged];
}

/** One document of the embedded metric format's specification: `_aws` says which of the members are metrics. */
function documentOf(
  Timestamp: number,
  Dimensions: readonly (readonly string[])[],
  Metrics: readonly Metric[],
  members: Readonly<Record<string, string | number>>,
): string {
  const CloudWatchMetrics = [{ Namespace: METRICS_NAMESPACE, Dimensions, Metrics }];
  return JSON.stringify({ _aws: { Timestamp, CloudWatchMetrics }, ...members });
}
