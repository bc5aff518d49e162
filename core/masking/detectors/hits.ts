/** A stretch of bytes that a detector found; `rule` is the detector's place in the list of rules. */
export interface Hit {
  readonly start: number;
  readonly end: number;
  readonly rule: number;
}

/** Tells of a stretch that was found. */
export type Found = (start: number, end: number) => void;

/** In order and without overlaps: what overlaps becomes one hit of the rule that began first. */
export function mergedHits(hits: Hit[]): Hit[] {
  if (hits.length < 2) return hits;
  hits.sort((a, b) => a.start - b.start || b.end - a.end || a.rule - b.rule);
  const merged: Hit[] = [];
  for (const hit of hits) {
    const last = merged.at(-1);
    if (last === undefined || hit.start >= last.end) merged.push(hit);
    else if (hit.end > last.end) merged[merged.length - 1] = { ...last, end: hit.end };
  }
  return merged;
}
