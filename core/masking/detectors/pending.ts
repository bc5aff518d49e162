import { CLASSES, NUMERIC, UPPER } from "./byte-classes.ts";

const SPACE = 0x20;
const QUOTE = 0x22;
/** Between two groups of a number two separators may follow each other, as in `(202) 555`, and no more. */
const MAX_GAP = 2;
/** A quoted local part with its quotes, as the detector takes it, and the @. */
const MAX_QUOTED = 132;

/**
 * Of a line that goes on: the first byte that may be part of a value which is not complete yet, or may become a longer one;
 * the line's length if there is none. No built-in detector's value begins before it and ends behind the line's last byte, but
 * for private keys. All that a value may hold beside visible characters are the spaces between groups of a number, and those
 * within quotes.
 */
export function pendingFrom(line: Buffer, mailsToo: boolean): number {
  let at = wordStart(line, line.length);
  for (;;) {
    let gap = at;
    while (gap > 0 && at - gap < MAX_GAP && line[gap - 1] === SPACE) gap--;
    if (gap === at || !endsGroup(line[gap - 1])) break;
    at = wordStart(line, gap);
  }
  if (!mailsToo) return at;
  const quote = line.indexOf(QUOTE, Math.max(0, line.length - MAX_QUOTED));
  return quote < 0 ? at : Math.min(at, quote);
}

function wordStart(line: Buffer, end: number): number {
  let at = end;
  while (at > 0 && (line[at - 1] ?? 0) > SPACE) at--;
  return at;
}

function endsGroup(byte = SPACE): boolean {
  return byte !== SPACE && ((CLASSES[byte] ?? 0) & (NUMERIC | UPPER)) !== 0;
}
