import type { HeldRequest } from "../ports/approval-desk.ts";
import { redactPasses } from "../identity/pass.ts";
import { visibleLines } from "../recording/visible.ts";

/** How far behind the cut it is looked for the end of a secret. */
const LONGEST_SECRET = 16_384;

/**
 * What looks like a secret. The gateway has taken the secrets out that the grammar tells; these are those that only their look tells. Whoever
 * asks has written the text, and must not hide by it what it does: a pattern hides one value without a blank, a quote, a bracket, a
 * semicolon or whatever else code needs, and never what ends a string or a comment. No pattern looks further than a bound: time stays linear.
 */
const SHAPES: readonly RegExp[] = [
  // PEM: whole lines of base64, and a shorter last one where the end follows.
  /(?<=-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----)(?:(?:\r?\n|\\n)[A-Za-z0-9+/=]{16,80}){1,200}(?:(?:\r?\n|\\n)[A-Za-z0-9+/=]{1,15}(?=(?:\r?\n|\\n)-----END ))?/g,
  /\b(?:AKIA|ASIA)[0-9A-Z]{16}\b/g,
  /\beyJ[\w-]{8,2048}\.[\w-]{8,4096}\.[\w-]{0,4096}/g,
  /(?<=["':] ?Bearer[ \t]{1,4})[\w.~+/-]{8,4096}={0,2}(?=["'])/gi,
  /(?<=:\/\/[\w.~%+-]{1,64}:)[\w.~%!+,-]{1,256}(?=@)/g,
];

/** Values that only their name tells. */
const NAMED: readonly RegExp[] = [
  // What a name of that kind is set to or compared with, in quotes.
  /(?<=(?:password|passwd|passphrase|secret|api_?key|access_?key|token)"?[ \t]{0,4}(?::|=>?|\bTO\b)[ \t]{0,4}E?')[\w.~+-]{1,256}(?='|$)/gi,
  // In SQL, of a role.
  /(?<=\b(?:role|user)\b[^;']{1,200}\bpassword[ \t]{1,4}E?')[\w.~+/-]{1,256}(?='|$)/gi,
];

/** What somebody wants, in a word or two. */
export const WANTS: Readonly<Record<HeldRequest["kind"], string>> = {
  connect: "connect",
  statement: "run a statement",
  command: "do this over SSH",
};

export interface Presentable {
  /** Every character shows, and has no other effect than to show. Still to be escaped for HTML. */
  readonly text: string;
  /** How many characters are not shown. */
  readonly cut: number;
}

/** A statement as people are shown it: what looks like a secret taken out, controls made visible, no longer than `length`. */
export function presentable(shown: string, length: number): Presentable {
  // Before it is cut: half a secret is not known for one.
  const near = shown.slice(0, length + LONGEST_SECRET);
  const scrubbed = scrub(near);
  const kept = scrubbed.slice(0, length).replace(/[\ud800-\udbff]$/, "");
  return { text: visibleLines(kept).join("\n"), cut: shown.length - near.length + scrubbed.length - kept.length };
}

/** A shell may run what a variable holds (`secret='reboot'; $secret`): then nothing of such a name is a secret. */
const REFERRED_TO = /\$\{?\w{0,64}(?:password|passwd|passphrase|secret|api_?key|access_?key|token)/i;

/** The text with what looks like a secret replaced by how long that was. */
export function scrub(text: string): string {
  const redacted = (secret: string): string => `[redacted: ${secret.length} characters]`;
  const patterns = REFERRED_TO.test(text) ? SHAPES : [...SHAPES, ...NAMED];
  return patterns.reduce((rest, pattern) => rest.replace(pattern, redacted), redactPasses(text));
}
