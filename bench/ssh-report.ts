import { derive, type Question } from "./derive.ts";
import type { Sample } from "./measures.ts";
import { spread } from "./statistics.ts";

/** The tables of the SSH measures: title, head, rows. */
export function sshSections(samples: readonly Sample[]): [string, readonly string[], (readonly string[])[]][] {
  const cell = (what: string, figure: string, of: Question["of"], against?: Question["of"]): string => {
    const as = against === undefined ? "plain" : "ratio";
    return spread(derive(samples, { what: `ssh/${what}`, figure, of, as, ...(against ? { against } : {}) }));
  };
  const taken = (what: string): boolean => samples.some((sample) => sample.what === `ssh/${what}`);
  const compared: [string, string, string][] = [
    ["set-up", "ms", "ssh true, ms"],
    ["echo", "p50", "echo p50, µs"],
    ["echo", "p99", "echo p99, µs"],
    ["cat", "rate", "cat, MB/s"],
    ["scp to", "rate", "scp to, MB/s"],
    ["scp from", "rate", "scp from, MB/s"],
    ["sessions", "seconds", "all at once, s"],
  ];
  const costs = ["cat", "scp to", "scp from"].filter(taken);
  return [
    [
      "SSH: times and rates",
      ["what", "direct", "jump ÷ direct", "pipe ÷ direct", "sallyport ÷ direct", "sallyport ÷ jump"],
      compared
        .filter(([what]) => taken(what))
        .map(([what, figure, label]) => [
          label,
          cell(what, figure, "direct"),
          ...(["jump", "pipe", "sallyport"] as const).map((way) => cell(what, figure, way, "direct")),
          cell(what, figure, "sallyport", "jump"),
        ]),
    ],
    [
      "SSH: CPU seconds a gigabyte of the process in between",
      ["what", "pipe", "sallyport", "sallyport ÷ pipe"],
      costs.map((what) => [
        what,
        cell(what, "cpuPerGigabyte", "pipe"),
        cell(what, "cpuPerGigabyte", "sallyport"),
        cell(what, "cpuPerGigabyte", "sallyport", "pipe"),
      ]),
    ],
    [
      "SSH: sessions at once, of the process in between",
      ["through", "CPU ms a log-in", "kB an idle session"],
      (taken("sessions") ? (["pipe", "sallyport"] as const) : []).map((way) => [
        way,
        cell("sessions", "cpuPerLogIn", way),
        cell("sessions", "kilobytes", way),
      ]),
    ],
  ];
}
