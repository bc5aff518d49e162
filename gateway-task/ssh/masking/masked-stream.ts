import { Escapes, ESCAPE, isLineEnd, LINE_FEED, PART, SHIFT_IN, SHIFT_OUT } from "./escapes.ts";
import { MaskedLine } from "./masked-line.ts";
import { type MaskSink, maskedBy, type StreamView, type View } from "./views.ts";

/** So much of plain text is looked at in one go: where nothing may be found in it, none of its lines is looked at. */
const BLOCK_BYTES = 2 << 10;
/** The first byte that is no control (ECMA-48 §5.2). */
const FIRST_VISIBLE = 0x20;

/** Follows one stream of a channel's output, and masks what is found in its lines, between and across escape sequences. */
export class MaskedStream {
  readonly #views: readonly StreamView[];
  readonly #sink: MaskSink;
  readonly #escapes = new Escapes();
  readonly #line: MaskedLine;
  /** What stands within a string for the terminal is no part of the line around it. */
  readonly #string: MaskedLine;

  constructor(views: readonly View[], sink: MaskSink) {
    const ofStream = (): StreamView[] => views.map((view) => ({ view, finder: view.masking.lineFinder() }));
    this.#views = ofStream();
    this.#sink = sink;
    this.#line = new MaskedLine(this.#views, sink);
    this.#string = new MaskedLine(ofStream(), sink);
  }

  /** The position of its first byte that is not decided; undefined where all that has come are. */
  get undecided(): number | undefined {
    const [line, string] = [this.#line.undecided, this.#string.undecided];
    return line === undefined || string === undefined ? (line ?? string) : Math.min(line, string);
  }

  /**
   * Takes the stream's next bytes, and masks in them, and in those before, what it can decide.
   * @param position of the first of them in the channel's output
   */
  push(bytes: Buffer, position: number): void {
    const plainEnd = firstEscape(bytes);
    for (let at = 0; at < bytes.length;) {
      const isFree = this.#line.isEmpty && this.#escapes.isInText && !this.#isWithinKey;
      const next = isFree && at < plainEnd ? this.#plainLines(bytes, at, plainEnd, position) : at;
      at = next > at ? next : this.#follow(bytes, at, position);
    }
    this.#line.settle();
    this.#string.settle();
  }

  /** Decides what stands before a position: of a value whose end is still to come, the beginning goes on as it is. */
  letGo(before: number): void {
    this.#line.letGo(before);
    this.#string.letGo(before);
  }

  get #isWithinKey(): boolean {
    return this.#views.some(({ finder }) => finder.isWithinKey);
  }

  /** Whole lines without escape sequences; answers where they end, or where a line begins that is one of a private key. */
  #plainLines(bytes: Buffer, from: number, to: number, position: number): number {
    let end = to;
    while (end > from && !isLineEnd(bytes[end - 1] ?? 0)) end--;
    for (let at = from; at < end;) {
      const blockEnd = lineEndFrom(bytes, Math.min(at + BLOCK_BYTES, end) - 1) + 1;
      const mayFind = this.#views.some(({ finder }) => finder.mayFind(bytes, at, blockEnd));
      at = mayFind ? this.#plainBlock(bytes, at, blockEnd, position) : blockEnd;
      if (this.#isWithinKey) return at;
    }
    return end;
  }

  #plainBlock(bytes: Buffer, from: number, to: number, position: number): number {
    for (let at = from; at < to;) {
      const lineEnd = lineEndFrom(bytes, at);
      if (lineEnd > at) this.#plainLine(bytes.subarray(at, lineEnd), position + at);
      at = lineEnd + 1;
      if (this.#isWithinKey) return at;
    }
    return to;
  }

  #plainLine(line: Buffer, position: number): void {
    for (const { finder, view } of this.#views) {
      const hits = finder.find(line);
      if (hits.length === 0) continue; // it begins no key either
      const masks = hits.map((hit) => maskedBy(view, hit, line));
      finder.next(line); // before its bytes are changed
      for (const [n, hit] of hits.entries()) {
        const rule = view.of === "client" ? undefined : view.masking.ruleOf(hit);
        if (rule !== undefined) this.#sink.found(rule);
        this.#sink.put(view, position + hit.start, masks[n] ?? line);
      }
    }
  }

  /** Byte by byte, up to the end of a line; answers the offset behind it. */
  #follow(bytes: Buffer, from: number, position: number): number {
    for (let at = from; at < bytes.length; at++) {
      if (this.#escapes.isInText) {
        const end = visibleEnd(bytes, at);
        this.#line.addAll(bytes, at, end, position + at);
        at = end;
        if (at === bytes.length) break;
      }
      const byte = bytes[at] as number;
      switch (this.#escapes.take(byte)) {
        case PART.text:
          this.#line.add(byte, position + at);
          break;
        case PART.string:
          this.#string.add(byte, position + at);
          break;
        case PART.stringEnd:
          this.#string.end();
          break;
        case PART.lineEnd:
          this.#line.end();
          return at + 1;
        case PART.nothing:
          break;
      }
    }
    return bytes.length;
  }
}

/** Where the line ends that the byte at `from` is of; there is such a place. */
function lineEndFrom(bytes: Buffer, from: number): number {
  let at = from;
  while (!isLineEnd(bytes[at] ?? LINE_FEED)) at++;
  return at;
}

/** Behind the bytes from `from` on that are neither an escape nor another control. */
function visibleEnd(bytes: Buffer, from: number): number {
  let at = from;
  while (at < bytes.length && (bytes[at] ?? 0) >= FIRST_VISIBLE) at++;
  return at;
}

/** Where escape sequences begin, or other controls that show nothing; the length where there are none. */
function firstEscape(bytes: Buffer): number {
  let first = bytes.length;
  for (const control of [ESCAPE, SHIFT_IN, SHIFT_OUT]) {
    const at = bytes.indexOf(control);
    if (at >= 0) first = Math.min(first, at);
  }
  return first;
}
