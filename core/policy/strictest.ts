import type { Consent, Verdict } from "./verdict.ts";

/** A verdict before it is put into words: of one action, or of several. */
export interface Finding {
  readonly kind: Verdict["kind"];
  readonly policies: readonly string[];
  readonly reasons: readonly string[];
  readonly consents: readonly Consent[];
}

const RANK = { allow: 0, hold: 1, block: 2 } as const;

/** Several as one: block before hold before allow. Holds need all of their consents. Nothing at all is allowed: it does nothing. */
export function strictest(findings: readonly Finding[]): Finding {
  const rank = Math.max(...findings.map(({ kind }) => RANK[kind]));
  const decisive = findings.filter(({ kind }) => RANK[kind] === rank);
  const [first] = decisive;
  if (first === undefined) return { kind: "allow", policies: [], reasons: [], consents: [] };
  if (decisive.length === 1) return first;
  return {
    kind: first.kind,
    policies: distinct(decisive.flatMap(({ policies }) => policies)),
    reasons: distinct(decisive.flatMap(({ reasons }) => reasons)),
    consents: allConsents(decisive.flatMap(({ consents }) => consents)),
  };
}

/** Of each group the largest number that somebody asks for. */
export function allConsents(consents: readonly Consent[]): Consent[] {
  const counts = new Map<string, number>();
  for (const { group, count } of consents) counts.set(group, Math.max(count, counts.get(group) ?? 0));
  return [...counts].map(([group, count]) => ({ group, count }));
}

export function verdictOf({ kind, policies, reasons, consents }: Finding): Verdict {
  const reason = reasons.join("; ");
  if (kind === "allow") return { kind, policies };
  return kind === "block" ? { kind, policies, reason } : { kind, policies, reason, consents };
}

function distinct(texts: readonly string[]): string[] {
  return [...new Set(texts)];
}
