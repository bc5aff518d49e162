import { visible } from "../../core/recording/visible.ts";

/** More of a text is at hand in its JSON. */
export const MAX_TEXT = 20_000;
export const MAX_SUMMARY = 100;

/** The beginning of a text, in one line. */
export function summaryOf(text: string): string {
  return cut(
    visible(
      cut(text, 2 * MAX_SUMMARY)
        .replaceAll(/\s+/g, " ")
        .trim(),
    ),
    MAX_SUMMARY,
  );
}

/** A text of at most so many characters. */
export function cut(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length)}…` : text;
}
