/** Characters of a statement, a command or a path that an event bears: whoever needs more reads the recording. */
const MAX_TEXT = 16 << 10;
/** Of a sentence, a reason, a name. */
const MAX_WORDS = 1 << 10;

interface Bounded {
  readonly text: string;
  /** Bytes of the whole text in UTF-8, where `text` is less. */
  readonly cutFrom: number | undefined;
}

/** At most `limit` UTF-16 units from the start, and no half of a surrogate pair at the end. */
function cut(text: string, limit: number): string {
  if (text.length <= limit) return text;
  const last = text.charCodeAt(limit - 1);
  return text.slice(0, last >= 0xd800 && last <= 0xdbff ? limit - 1 : limit);
}

/**
 * A recorded text as an event bears it.
 * @param recorded bytes of the text on the wire, where the recording has cut it already
 */
export function boundedText(text: string, recorded?: number): Bounded {
  const kept = cut(text, MAX_TEXT);
  return { text: kept, cutFrom: recorded ?? (kept === text ? undefined : Buffer.byteLength(text)) };
}

/** A sentence or a name, cut where it is longer than any reader would read. */
export function words(text: string): string {
  return cut(text, MAX_WORDS);
}

/** The texts and numbers that are there, as texts. */
export function flat(values: Readonly<Record<string, string | number | boolean | undefined>>): Record<string, string> {
  const there = Object.entries(values).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, words(String(value))] as const],
  );
  return Object.fromEntries(there);
}
