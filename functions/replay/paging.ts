import { SallyportError } from "../../core/errors.ts";
import type { Numbered } from "./recordings.ts";

/** A page ends before its items exceed this, so that an answer fits into memory (and into a Lambda's 6 MB). */
const MAX_PAGE_BYTES = 3 << 20;

export interface Page<T> {
  readonly items: readonly T[];
  /** Where the next page starts; null when there is nothing more for now. */
  readonly next: number | null;
  /** Where to look for what a live session will record. */
  readonly cursor: number;
  /** What is wrong with the recording behind these items. */
  readonly fault: string | undefined;
}

/**
 * A page of those items for which `pick` answers something.
 * Where the recording is broken the page ends before; with nothing in it, `recording-corrupt` is thrown.
 */
export async function takePage<I, T>(
  items: AsyncIterable<Numbered<I>>,
  { after, limit }: { readonly after: number; readonly limit: number },
  pick: (numbered: Numbered<I>) => T | undefined,
  sizeOf: (item: T) => number,
): Promise<Page<T>> {
  const taken: T[] = [];
  let cursor = after;
  let size = 0;
  try {
    for await (const numbered of items) {
      const item = pick(numbered);
      if (item !== undefined) {
        size += sizeOf(item);
        if (taken.length === limit || (taken.length > 0 && size > MAX_PAGE_BYTES))
          return { items: taken, next: numbered.number, cursor: numbered.number, fault: undefined };
        taken.push(item);
      }
      cursor = numbered.number + 1;
    }
  } catch (thrown) {
    if (taken.length === 0 || !(thrown instanceof SallyportError) || thrown.code !== "recording-corrupt") throw thrown;
    return { items: taken, next: null, cursor, fault: thrown.message };
  }
  return { items: taken, next: null, cursor, fault: undefined };
}
