import type { WayName } from "./competitors.ts";
import { derive } from "./derive.ts";
import type { Question } from "./derive.ts";
import type { Sample } from "./measures.ts";
import { short, spread } from "./statistics.ts";
import { sshSections } from "./ssh-report.ts";
import { judge } from "./targets.ts";
import type { Target } from "./targets.ts";

type Row = readonly string[];

/** All tables of one run, as text. A cell is `median (min-max)` over the rounds. */
export function report(samples: readonly Sample[], targets: readonly Target[]): string {
  const postgres = samples.filter(({ what }) => !what.startsWith("ssh/"));
  const between = names(postgres).filter((name) => name !== "direct");
  const cell = (what: string, figure: string, of: WayName, as: Question["as"] = "plain", against?: WayName) =>
    spread(derive(samples, { what, figure, of, as, ...(against ? { against } : {}) }));
  const kinds = (prefix: string) =>
    [...new Set(samples.map(({ what }) => what))].filter((what) => what.startsWith(prefix));
  const rivals = between.filter((name) => name !== "pgbouncer");
  const sections: [string, Row, Row[]][] = [
    [
      "Select-only: transactions a second, and CPU of the process in between",
      ["mode/clients", "direct tps", ...between.map((name) => `${name} ÷ direct`), ...rivals.flatMap((name) => [`${name} ÷ pgbouncer`, `${name} CPU ÷ pgbouncer`])], // prettier-ignore
      kinds("select/").map((what) => [
        what.slice("select/".length),
        cell(what, "tps", "direct"),
        ...between.map((name) => cell(what, "tps", name, "ratio", "direct")),
        ...rivals.flatMap((name) => [
          cell(what, "tps", name, "ratio", "pgbouncer"),
          cell(what, "cpuPerQuery", name, "ratio", "pgbouncer"),
        ]),
      ]),
    ],
    [
      "Latency at one client, µs",
      ["mode", "direct p50", "direct p99", ...between.flatMap((name) => [`${name} adds p50`, `${name} adds p99`])],
      kinds("select/")
        .filter((what) => what.endsWith("/1"))
        .map((what) => [
          what.split("/")[1] ?? "",
          ...["p50", "p99"].map((figure) => cell(what, figure, "direct")),
          ...between.flatMap((name) => ["p50", "p99"].map((figure) => cell(what, figure, name, "added", "direct"))),
        ]),
    ],
    [
      "Bulk: MB a second",
      [
        "what",
        "direct MB/s",
        ...between.map((name) => `${name} ÷ direct`),
        ...rivals.map((name) => `${name} ÷ pgbouncer`),
      ],
      kinds("bulk/").map((what) => [
        what.slice("bulk/".length),
        cell(what, "rate", "direct"),
        ...between.map((name) => cell(what, "rate", name, "ratio", "direct")),
        ...rivals.map((name) => cell(what, "rate", name, "ratio", "pgbouncer")),
      ]),
    ],
    [
      "Small queries beside one bulk reader",
      ["through", "p50 µs", "p99 µs", "bulk MB/s meanwhile"],
      kinds("beside").flatMap((what) =>
        names(postgres).map((name) => [name, ...["p50", "p99", "bulkRate"].map((figure) => cell(what, figure, name))]),
      ),
    ],
    [
      "Idle sessions: resident MB of the process in between",
      ["through", "before", "with them", "added"],
      kinds("idle").flatMap((what) =>
        between.map((name) => [name, ...["before", "during", "added"].map((figure) => cell(what, figure, name))]),
      ),
    ],
    ...sshSections(samples),
    ["Targets (by the median)", ["what", "measured", "must", "aim", ""], targetRows(samples, targets)],
  ];
  return sections
    .filter(([, , rows]) => rows.length > 0)
    .map(([title, head, rows]) => `${title}\n${table([head, ...rows])}`)
    .join("\n\n");
}

function targetRows(samples: readonly Sample[], targets: readonly Target[]): Row[] {
  return targets.flatMap((target) => {
    const measured = derive(samples, target.question);
    if (!measured) return [];
    const verdict = { aim: "aim reached", met: "met", missed: "MISSED" }[judge(target, measured.median)];
    const aim = target.aim === undefined ? "" : short(target.aim);
    return [[target.label, spread(measured), `${target.bound} ${short(target.must)}`, aim, verdict]];
  });
}

function names(samples: readonly Sample[]): WayName[] {
  return [...new Set(samples.map(({ competitor }) => competitor))];
}

function table(rows: readonly Row[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const line = (row: Row) => `  ${row.map((text, column) => text.padEnd(widths[column] ?? 0)).join("  ")}`.trimEnd();
  const [head, ...body] = rows;
  return [line(head ?? []), line(widths.map((width) => "-".repeat(width))), ...body.map(line)].join("\n");
}
