import type { Row, Screen } from "./terminal-model.ts";

/** What is known of a line besides what the screen shows. */
export interface Known {
  /** What was typed, see `TypedLine`. */
  readonly text: string;
  readonly edited: boolean;
  readonly moved: boolean;
  /** Prompts that were seen, the likeliest first. */
  readonly prompts: readonly string[];
}

export interface ShownLine {
  /** What may have been entered, as far as the screen and the keys tell it; none where nothing that was typed is shown. */
  readonly readings: readonly string[];
  /** What stands before it; undefined where that is not sure. */
  readonly prompt: string | undefined;
  /** It was typed where the terminal shows nothing at all, neither it nor a prompt: ahead, while something runs. */
  readonly hidden: boolean;
}

const NOTHING: ShownLine = { readings: [], prompt: undefined, hidden: false };
/** Of what was typed, so many characters in a row are shown where it is shown at all. */
const ECHOED = 4;
/** bash's and zsh's search in what was entered before: what was found stands behind the colon. */
const SEARCH = /^\(?[\w -]*i-search\)?[`_:].*?'?: (.*)$/s;
/** What ends a prompt, where none is known. */
const SIGIL = /^.*?[$#%>❯➜»λ]\s+/su;
/** As programs show a password: behind their prompt, nothing else. */
const STARS = /^(?:.*:\s*)?([*•●])\1{2,}$/u;

/** Whether the screen shows what was typed, at the cursor. */
export function showsTyped({ rows, cursor, before }: Screen, text: string): boolean {
  const shown = compact(linesAbove(rows, cursor).join("") + before);
  return shown.endsWith(compact(text));
}

/** Reads the line that an Enter would enter now. */
export function readLine(screen: Screen, { text, edited, moved, prompts }: Known): ShownLine {
  const { rows, cursor, before } = screen;
  const first = firstRow(rows, cursor);
  const left = joined(rows.slice(first, cursor)) + glue(rows, first, cursor) + before;
  const typed = text.trim();
  if (!edited && typed !== "" && showsTyped(screen, text)) return exactly(left, text, prompts);
  const shown = readShown(screen, moved, prompts);
  // Something to be confirmed by Enter, unless it stands behind the prompt of a line.
  if (!edited && typed === "" && shown.prompt === undefined) return NOTHING;
  if (edited || typed === "") return isStars(shown.readings, typed) ? NOTHING : shown;
  // Something else is shown than was typed. Where it is nothing of it, behind a prompt, echo is off: it may be a password.
  if (isStars(shown.readings, typed)) return NOTHING;
  if (left.trim() === "") return { readings: [typed], prompt: undefined, hidden: true };
  if (!isPartly(shown.readings, typed)) return NOTHING;
  return { ...shown, readings: distinct([...shown.readings, typed]) };
}

/** All that was typed is shown, and nothing else was done: what stands before it is the prompt, or was there already. */
function exactly(left: string, text: string, prompts: readonly string[]): ShownLine {
  if (!left.endsWith(text)) return { readings: distinct([text]), prompt: undefined, hidden: false };
  const prompt = left.slice(0, left.length - text.length);
  const known = prompts.find((one) => one !== "" && prompt.length > one.length && prompt.startsWith(one));
  if (known === undefined) return { readings: distinct([text]), prompt, hidden: false };
  return { readings: distinct([left.slice(known.length), text]), prompt: known, hidden: false };
}

function readShown({ rows, cursor, before, entered }: Screen, moved: boolean, prompts: readonly string[]): ShownLine {
  const last = moved ? lastRow(rows, cursor) : cursor;
  // Without a key that moves the cursor, what stands behind it is not of the line: a suggestion, the time.
  const seen = moved ? rows : [...rows.slice(0, cursor), { ...(rows[cursor] as Row), text: before }];
  const nearest = firstRow(seen, cursor);
  const search = SEARCH.exec(joined(seen.slice(nearest, last + 1)))?.[1];
  if (search !== undefined) return { readings: distinct([search]), prompt: undefined, hidden: false };
  for (let first = nearest; first > entered; first = first === 0 ? -1 : firstRow(seen, first - 1)) {
    const text = joined(seen.slice(first, last + 1));
    const prompt = prompts.find((one) => one !== "" && text.startsWith(one.trimEnd()));
    if (prompt === undefined) continue;
    const below = moved ? [joined(trimmedEnd(seen.slice(first))).slice(prompt.length)] : [];
    return { readings: distinct([text.slice(prompt.length), ...below]), prompt, hidden: false };
  }
  const text = joined(seen.slice(nearest, last + 1));
  return { readings: distinct([text.replace(SIGIL, ""), text]), prompt: undefined, hidden: false };
}

/** The row where the text begins that goes on to this one. */
function firstRow(rows: readonly Row[], from: number): number {
  let at = from;
  while (at > 0 && rows[at]?.continues === true) at--;
  return at;
}

function lastRow(rows: readonly Row[], from: number): number {
  let at = from;
  while (rows[at + 1]?.continues === true) at++;
  return at;
}

function linesAbove(rows: readonly Row[], cursor: number): readonly string[] {
  return rows.slice(0, cursor).map(({ text }) => text);
}

function joined(rows: readonly Row[]): string {
  return rows.map(({ text, continues }, at) => (at === 0 || continues ? text : `\n${text}`)).join("");
}

function glue(rows: readonly Row[], first: number, cursor: number): string {
  return cursor === first || rows[cursor]?.continues === true ? "" : "\n";
}

function trimmedEnd(rows: readonly Row[]): readonly Row[] {
  let end = rows.length;
  while (end > 0 && rows[end - 1]?.text === "") end--;
  return rows.slice(0, end);
}

function isStars(readings: readonly string[], typed: string): boolean {
  return !STARS.test(typed) && readings.length > 0 && readings.every((one) => STARS.test(one));
}

function isPartly(readings: readonly string[], typed: string): boolean {
  const characters = compact(typed);
  const length = Math.min(ECHOED, characters.length);
  const shown = readings.map(compact);
  for (let at = 0; at + length <= characters.length; at++) {
    const run = characters.slice(at, at + length);
    if (shown.some((one) => one.includes(run))) return true;
  }
  return false;
}

function compact(text: string): string {
  return text.replace(/\s+/gu, "");
}

function distinct(texts: readonly string[]): readonly string[] {
  return [...new Set(texts.map((text) => text.trim()))].filter((text) => text !== "");
}
