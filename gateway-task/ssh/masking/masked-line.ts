import type { Hit } from "../../../core/masking/detectors/hits.ts";
import { LineText } from "./line-text.ts";
import { type MaskSink, maskedBy, type StreamView, type View } from "./views.ts";

/** Of a longer line all but the last bytes is dealt with as if nothing more came … */
const MAX_LINE = 16 << 10;
/** … so that a value is found that is no longer than those. */
const KEPT = 4 << 10;

/** One line of output as it comes: masks what is found in it as soon as nothing that may still come can change that. */
export class MaskedLine {
  readonly #views: readonly StreamView[];
  readonly #sink: MaskSink;
  readonly #line = new LineText();
  /** Bytes of it that are as they stay. */
  #decided = 0;
  /** Values that begin before here have been counted. */
  #counted = 0;

  constructor(views: readonly StreamView[], sink: MaskSink) {
    this.#views = views;
    this.#sink = sink;
  }

  get isEmpty(): boolean {
    return this.#line.length === 0;
  }

  /** The position of its first byte that is not decided; undefined where all are. */
  get undecided(): number | undefined {
    return this.#decided < this.#line.length ? this.#line.positionOf(this.#decided) : undefined;
  }

  add(byte: number, position: number): void {
    this.#line.add(byte, position);
    if (this.#line.length === MAX_LINE) this.#shorten();
  }

  /** Adds bytes that stand next to each other. */
  addAll(bytes: Buffer, from: number, to: number, position: number): void {
    for (let at = from; at < to;) {
      const end = Math.min(to, at + MAX_LINE - this.#line.length);
      this.#line.addAll(bytes, at, end, position + at - from);
      at = end;
      if (this.#line.length === MAX_LINE) this.#shorten();
    }
  }

  /** Decides what can be decided. */
  settle(): void {
    this.#decide(this.#undecidedFrom());
  }

  /** Decides what stands before a position: what is found later is masked from there on. */
  letGo(before: number): void {
    const upTo = this.#line.countBefore(before);
    if (upTo <= this.#decided) return;
    this.#mask(this.#found(), upTo);
    this.#decided = upTo;
  }

  /** The line is complete. */
  end(): void {
    this.letGo(Infinity);
    const { text } = this.#line;
    for (const { finder } of this.#views) finder.next(text);
    this.#line.clear();
    this.#decided = this.#counted = 0;
  }

  #undecidedFrom(): number {
    const { text } = this.#line;
    let at = text.length;
    for (const { finder } of this.#views) at = Math.min(at, finder.undecidedFrom(text));
    return at;
  }

  /** Up to an offset, or to where a value begins that reaches beyond it. */
  #decide(upTo: number): void {
    if (upTo <= this.#decided) return;
    const found = this.#found();
    let end = upTo;
    for (const { start } of found.flat().filter((hit) => hit.start < upTo && hit.end > upTo))
      end = Math.min(end, start);
    this.#mask(found, end);
    this.#decided = Math.max(this.#decided, end);
  }

  #found(): readonly (readonly Hit[])[] {
    const { text } = this.#line;
    return this.#views.map(({ finder }) => finder.find(text));
  }

  #shorten(): void {
    const upTo = Math.max(this.#undecidedFrom(), MAX_LINE - KEPT);
    this.#mask(this.#found(), upTo);
    const forgotten = MAX_LINE - KEPT;
    this.#decided = Math.max(this.#decided, upTo) - forgotten;
    this.#counted = Math.max(0, this.#counted - forgotten);
    this.#line.forget(forgotten);
  }

  /** Every value that begins before `end`, whole. */
  #mask(found: readonly (readonly Hit[])[], end: number): void {
    const { text } = this.#line;
    for (const [n, { view }] of this.#views.entries())
      for (const hit of found[n] ?? []) {
        if (hit.start >= end) break;
        if (hit.end <= this.#decided) continue;
        if (view.of !== "client") this.#count(view, hit);
        const masked = maskedBy(view, hit, text);
        for (let at = Math.max(hit.start, this.#decided); at < hit.end; at++)
          this.#sink.put(view, this.#line.positionOf(at), masked.subarray(at - hit.start, at - hit.start + 1));
      }
  }

  #count({ masking }: View, hit: Hit): void {
    const rule = hit.start < this.#counted ? undefined : masking.ruleOf(hit);
    if (rule !== undefined) this.#sink.found(rule);
    this.#counted = Math.max(this.#counted, hit.end);
  }
}
