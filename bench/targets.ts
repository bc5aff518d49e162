import type { Question } from "./derive.ts";

/** What a release must reach, and what we aim for. */
export interface Target {
  readonly label: string;
  readonly question: Question;
  readonly bound: "at most" | "at least";
  readonly must: number;
  readonly aim?: number;
}

type Rest = Omit<Question, "of">;
type Of = "sallyport" | "guarded";

/** Of SSH, against `ssh -J` through a second server, a direct connection, and a Node process that is nothing but a pipe. */
const SSH_BULK = ["cat", "scp to", "scp from"];
const ours = (
  label: string,
  question: Rest,
  bound: Target["bound"],
  must: number,
  aim?: number,
  of: Of = "sallyport",
): Target => ({
  label,
  question: { ...question, of },
  bound,
  must,
  ...(aim === undefined ? {} : { aim }),
});

const ONE = "select/prepared/1";
const EIGHT = "select/prepared/8";

export const PLAIN_TARGETS: readonly Target[] = [
  ours("added p50 at 1 client, µs", { what: ONE, figure: "p50", as: "added", against: "direct" }, "at most", 85, 70),
  ours("added p99 at 1 client, µs", { what: ONE, figure: "p99", as: "added", against: "direct" }, "at most", 400, 220),
  ours("tps at 8 clients ÷ pgbouncer", { what: EIGHT, figure: "tps", as: "ratio", against: "pgbouncer" }, "at least", 0.65, 0.9), // prettier-ignore
  ours("tps at 8 clients ÷ direct", { what: EIGHT, figure: "tps", as: "ratio", against: "direct" }, "at least", 0.48, 0.63), // prettier-ignore
  ours("CPU a query at 8 clients ÷ pgbouncer", { what: EIGHT, figure: "cpuPerQuery", as: "ratio", against: "pgbouncer" }, "at most", 2, 1.35), // prettier-ignore
  ours("wide rows ÷ direct", { what: "bulk/wide", figure: "rate", as: "ratio", against: "direct" }, "at least", 0.85),
  ours("COPY out ÷ direct", { what: "bulk/copy", figure: "rate", as: "ratio", against: "direct" }, "at least", 0.75),
  ours("p99 beside a bulk reader, µs", { what: "beside", figure: "p99", as: "plain" }, "at most", 8_000, 4_000),
  ours("1,000 idle sessions, MB", { what: "idle", figure: "added", as: "plain" }, "at most", 35, 25),
  ours("guarded: tps at 8 clients ÷ pgbouncer", { what: EIGHT, figure: "tps", as: "ratio", against: "pgbouncer" }, "at least", 0.6, 0.85, "guarded"), // prettier-ignore
  ours("guarded: wide rows ÷ unmasked", { what: "bulk/wide", figure: "rate", as: "ratio", against: "sallyport" }, "at least", 0.6, 0.85, "guarded"), // prettier-ignore
  ours("guarded: p99 beside a bulk reader, µs", { what: "beside", figure: "p99", as: "plain" }, "at most", 8_000, undefined, "guarded"), // prettier-ignore
];

export const SSH_TARGETS: readonly Target[] = [
  ...SSH_BULK.flatMap((name) => {
    const what = `ssh/${name}`;
    return [
      ours(`${name} ÷ jump`, { what, figure: "rate", as: "ratio", against: "jump" }, "at least", 1, 1.3),
      ours(`${name} ÷ direct`, { what, figure: "rate", as: "ratio", against: "direct" }, "at least", 0.7, 0.85),
      ours(`${name}: CPU ÷ pipe`, { what, figure: "cpuPerGigabyte", as: "ratio", against: "pipe" }, "at most", 2.5, 2),
    ];
  }),
  ours("echo p50 ÷ jump", { what: "ssh/echo", figure: "p50", as: "ratio", against: "jump" }, "at most", 1.4, 1.2),
  ours("ssh true ÷ direct", { what: "ssh/set-up", figure: "ms", as: "ratio", against: "direct" }, "at most", 1.15),
  ours("idle session, kB", { what: "ssh/sessions", figure: "kilobytes", as: "plain" }, "at most", 80),
];

export const TLS_TARGETS: readonly Target[] = [
  ours("tps at 8 clients ÷ pgbouncer, both TLS", { what: EIGHT, figure: "tps", as: "ratio", against: "pgbouncer" }, "at least", 0.55, 0.75), // prettier-ignore
  ours("wide rows ÷ pgbouncer, both TLS", { what: "bulk/wide", figure: "rate", as: "ratio", against: "pgbouncer" }, "at least", 1), // prettier-ignore
  ours("COPY out ÷ pgbouncer, both TLS", { what: "bulk/copy", figure: "rate", as: "ratio", against: "pgbouncer" }, "at least", 1), // prettier-ignore
];

/** Judged by the median: one noisy round neither saves nor damns. */
export function judge(target: Target, median: number): "aim" | "met" | "missed" {
  const within = (limit: number) => (target.bound === "at most" ? median <= limit : median >= limit);
  if (!within(target.must)) return "missed";
  return target.aim !== undefined && within(target.aim) ? "aim" : "met";
}
