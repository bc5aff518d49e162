import type { MaskRule } from "../../../core/masking/masking.ts";

/** A name, and the text that defines what it stands for; null where that cannot be had. */
type Definition = readonly [name: string, text: string | null];

/** Longer texts may have been cut. */
export const MAX_DEFINITION = 64 << 10;
/** SQL that is put together as it runs may read anything. */
const DYNAMIC = /\bexecute\b(?!\s+(?:function|procedure)\b)/i;
const WORD = /[\p{L}_][\p{L}\p{N}_$]*/gu;

/**
 * Functions and views that may read what is masked without their callers saying so: those whose text has the name of such
 * a table, or of another such function or view, anywhere in it, and functions that run SQL which they make up.
 */
export function mentions(
  tables: ReadonlyMap<string, MaskRule>,
  functions: readonly Definition[],
  views: readonly Definition[],
  unresolved: MaskRule,
): { readonly functions: Map<string, MaskRule>; readonly views: Map<string, MaskRule> } {
  const names = new Map([...tables].map(([name, rule]) => [name.toLowerCase(), rule]));
  const found = { functions: new Map<string, MaskRule>(), views: new Map<string, MaskRule>() };
  const bodies = [
    ...functions.map((definition) => bodyOf(definition, found.functions, true)),
    ...views.map((definition) => bodyOf(definition, found.views, false)),
  ];
  for (let changed = true; changed;) {
    changed = false;
    for (const { name, words, unclear, into } of bodies) {
      if (into.has(name)) continue;
      const met = unclear ? unresolved : firstOf(words, names);
      if (met === undefined) continue;
      into.set(name, met);
      if (!names.has(name.toLowerCase())) names.set(name.toLowerCase(), met);
      changed = true;
    }
  }
  return found;
}

function bodyOf([name, text]: Definition, into: Map<string, MaskRule>, mayRunText: boolean) {
  const unclear = text === null || text.length >= MAX_DEFINITION || (mayRunText && DYNAMIC.test(text));
  const words = new Set(text?.toLowerCase().match(WORD));
  // A function's definition begins with its own name.
  if (mayRunText) words.delete(name.toLowerCase());
  return { name, words, unclear, into };
}

function firstOf(words: ReadonlySet<string>, names: ReadonlyMap<string, MaskRule>): MaskRule | undefined {
  for (const word of words) {
    const rule = names.get(word);
    if (rule !== undefined) return rule;
  }
  return undefined;
}
