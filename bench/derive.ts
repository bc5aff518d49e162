import type { WayName } from "./competitors.ts";
import type { Sample } from "./measures.ts";
import { summarise } from "./statistics.ts";
import type { Summary } from "./statistics.ts";

/** A figure of one competitor, alone or against another's of the same round. */
export interface Question {
  readonly what: string;
  readonly figure: string;
  readonly of: WayName;
  /** `ratio`: of ÷ against. `added`: of − against. `plain`: as it was measured. */
  readonly as: "plain" | "ratio" | "added";
  readonly against?: WayName;
}

/** The median and the extremes over the rounds; undefined where one of the two was not measured. */
export function derive(samples: readonly Sample[], question: Question): Summary | undefined {
  const values = figures(samples, question, question.of).flatMap(([round, value]) => {
    if (question.as === "plain" || !question.against) return [value];
    const other = figures(samples, question, question.against).find(([which]) => which === round)?.[1];
    if (other === undefined) return [];
    return [question.as === "ratio" ? value / other : value - other];
  });
  return values.length > 0 ? summarise(values) : undefined;
}

function figures(samples: readonly Sample[], { what, figure }: Question, of: WayName): [number, number][] {
  return samples.flatMap((sample): [number, number][] => {
    const value = sample.what === what && sample.competitor === of ? sample.figures[figure] : undefined;
    return value === undefined ? [] : [[sample.round, value]];
  });
}
