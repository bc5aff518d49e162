import type { DetectorSet } from "./detector-set.ts";
import { mergedHits, type Hit } from "./detectors/hits.ts";
import { pendingFrom } from "./detectors/pending.ts";
import { closesKeyAt, isKeyLine, keyMayBeginAt, mentionsKey, opensKeyAt } from "./detectors/private-key-lines.ts";

/** Of a key of 16,384 bits; what goes on for longer is none. */
const MAX_KEY_LINES = 256;

/**
 * Finds values in text that comes line by line, as a terminal shows it. A value stands within one line; of a private key each
 * line is a value.
 */
export class LineFinder {
  readonly #set: DetectorSet;
  /** Lines of the private key that an earlier one has begun; 0: there is none. */
  #keyLines = 0;

  constructor(set: DetectorSet) {
    this.#set = set;
  }

  /** Whether a line that is next may be one of a private key. */
  get isWithinKey(): boolean {
    return this.#keyLines > 0;
  }

  /** Whether anything may be found in whole lines between two offsets. */
  mayFind(bytes: Buffer, from: number, to: number): boolean {
    if (this.isWithinKey || this.#set.mayContain(bytes, from, to)) return true;
    return this.#set.privateKey >= 0 && mentionsKey(bytes, from, to);
  }

  /** What is found in the next line, as far as it has come: in order, and without overlaps. */
  find(line: Buffer): readonly Hit[] {
    const hits = this.#set.find(line);
    const rule = this.#set.privateKey;
    if (rule < 0) return hits;
    const keys: Hit[] = [];
    const end = this.#keyEnd(line);
    if (end > 0) keys.push({ start: 0, end, rule });
    const start = opensKeyAt(line);
    if (start >= 0) keys.push({ start, end: line.length, rule });
    return keys.length === 0 ? hits : mergedHits([...hits, ...keys]);
  }

  /** The line is complete: the next one begins. */
  next(line: Buffer): void {
    if (this.#set.privateKey < 0) return;
    const goesOn = this.isWithinKey && closesKeyAt(line) < 0 && isKeyLine(line) && this.#keyLines < MAX_KEY_LINES;
    if (opensKeyAt(line) >= 0) this.#keyLines = 1;
    else this.#keyLines = goesOn ? this.#keyLines + 1 : 0;
  }

  /**
   * The first byte of the next line, as far as it has come, for which it cannot be told yet whether it is part of a value; its
   * length if there is none. A custom pattern may find anything.
   */
  undecidedFrom(line: Buffer): number {
    if (this.isWithinKey || this.#set.hasCustom) return 0;
    const at = pendingFrom(line, this.#set.hasMails);
    if (this.#set.privateKey < 0) return at;
    const begun = opensKeyAt(line);
    return Math.min(at, begun < 0 ? keyMayBeginAt(line) : begun);
  }

  /** Behind what belongs to the key that an earlier line has begun; 0 where nothing does. */
  #keyEnd(line: Buffer): number {
    if (!this.isWithinKey) return 0;
    const close = closesKeyAt(line);
    if (close >= 0) return close;
    return isKeyLine(line) ? line.length : 0;
  }
}
