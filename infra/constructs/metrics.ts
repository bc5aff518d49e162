/** What `gateway-task/metrics.ts` and `functions/scheduled/metric-line.ts` write. */
const NAMESPACE = "Sallyport";

function metric(metricName: string): { readonly namespace: string; readonly metricName: string } {
  return { namespace: NAMESPACE, metricName };
}

/** The figures of the tasks, each without a dimension: over all of them. */
export const METRICS = {
  liveSessions: metric("LiveSessions"),
  heldStatements: metric("HeldStatements"),
  maskedValues: metric("MaskedValues"),
  recorderLagMs: metric("RecorderLagMs"),
  spoolAgeSeconds: metric("SpoolAgeSeconds"),
  uploadFailures: metric("UploadFailures"),
  errors: metric("Errors"),
  /** Once in each run of the scheduled work. */
  abandonedSpools: metric("AbandonedSpools"),
} as const;

/** What a statement or a command met, or what came of one that was held; what is simply allowed is not counted. */
export const VERDICTS = ["block", "hold", "granted", "denied", "expired", "cancelled"] as const;

export function verdictsOf(verdict: (typeof VERDICTS)[number]): {
  readonly namespace: string;
  readonly metricName: string;
  readonly dimensionsMap: Record<string, string>;
} {
  return { ...metric("Verdicts"), dimensionsMap: { Verdict: verdict } };
}
