import { commandFacts } from "../../../core/policy/command-facts.ts";
import type { CommandFacts } from "../../../core/policy/shell/facts.ts";

/** A text that is not understood is cut at most into so many parts. */
const MAX_PARTS = 200;
const GOES_ON = /(?:^|[^\\])(?:\\\\)*\\$/;

/** Whether a line is a command, and not only its beginning, nor something that a shell would not take. */
export function isWholeCommand(text: string): boolean {
  return !GOES_ON.test(text) && commandFacts(text).parsed;
}

/**
 * What a typed line does. People type into other programs than shells, too: a text that is not understood is no fault in
 * itself. Its parts, without quotes, are judged for what they name, so that an open quote behind a command hides nothing.
 * @param hidden it is not on the screen, and may be a password: it is judged for what it names, too
 */
export function factsOfLine(text: string, hidden: boolean): readonly CommandFacts[] {
  const facts = commandFacts(text);
  if (facts.parsed && !GOES_ON.test(text)) return hidden && facts.dynamic ? [] : [facts];
  return partsOf(text)
    .map((part) => commandFacts(part))
    .filter(({ parsed, dynamic }) => parsed && !dynamic);
}

function partsOf(text: string): readonly string[] {
  const bare = text.replace(/["'`\\]/g, "");
  const parts = bare.split(/[;&|<>(){}\n]+/).map((part) => part.trim());
  return [...new Set(parts)].filter((part) => part !== "").slice(0, MAX_PARTS);
}
