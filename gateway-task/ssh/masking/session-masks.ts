import type { LineFinder } from "../../../core/masking/line-finder.ts";
import type { MaskRule } from "../../../core/masking/masking.ts";
import { MaskCounts } from "../../mask-counts.ts";
import type { SessionMasking } from "../../session.ts";
import { maskedBy, type View, viewsOf } from "./views.ts";

/** How long masked values are counted before they are told. */
const TELL_MS = 60_000;

/** What is masked in a session, by which rules, and how often. */
export class SessionMasks {
  readonly views: readonly View[];
  readonly #record: View;
  readonly #typed: LineFinder;
  readonly #counts = new MaskCounts();
  readonly #tell: (values: Record<string, number>) => void;
  #toldAt = performance.now();

  /** @param tell takes how many values were masked, by rule, from time to time */
  constructor({ rules, unmaskedBy }: SessionMasking, tell: (values: Record<string, number>) => void) {
    this.views = viewsOf(rules, unmaskedBy !== undefined);
    this.#record = { masking: rules, of: "record" };
    this.#typed = rules.lineFinder();
    this.#tell = tell;
  }

  /** A rule has masked a value. */
  readonly found = (rule: MaskRule): void => {
    this.#counts.count(rule);
    const now = performance.now();
    if (now - this.#toldAt < TELL_MS) return;
    this.#toldAt = now;
    const values = this.takeCounts();
    if (values !== undefined) this.#tell(values);
  };

  /** How many values each rule has masked since the last time; undefined if none. */
  takeCounts(): Record<string, number> | undefined {
    return this.#counts.take();
  }

  /** What is stored of bytes that were typed, as far as they alone tell: the same bytes if nothing is found in them. */
  typed(bytes: Buffer): Buffer {
    const { masking } = this.#record;
    const hits = this.#typed.find(bytes);
    if (hits.length === 0) return bytes;
    const stored = Buffer.from(bytes);
    for (const hit of hits) {
      stored.set(maskedBy(this.#record, hit, bytes), hit.start);
      const rule = masking.ruleOf(hit);
      if (rule !== undefined) this.found(rule);
    }
    return stored;
  }
}
