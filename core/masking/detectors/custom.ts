import { RE2JS } from "re2js";
import type { Found } from "./hits.ts";

export interface CustomDetector {
  readonly literal: Buffer;
  readonly find: (bytes: Buffer, from: number, to: number, found: Found) => void;
}

/** A value of more bytes is not tried but taken whole: a linear engine is linear in something. */
const MAX_TRIED = 1 << 20;

/**
 * A pattern of the configuration, which is tried only where its literal is. It sees UTF-8; bytes that are none count as U+FFFD.
 */
export function customDetector(pattern: string, contains: string): CustomDetector {
  const compiled = RE2JS.compile(pattern);
  const literal = Buffer.from(contains);
  return {
    literal,
    find: (bytes, from, to, found) => {
      if (nextLiteral(literal, bytes, from, to) === to) return;
      if (to - from > MAX_TRIED) return found(from, to);
      const matcher = compiled.matcher(bytes.subarray(from, to));
      while (matcher.find()) if (matcher.end() > matcher.start()) found(from + matcher.start(), from + matcher.end());
    },
  };
}

/** Where a text stands first; `to` if it does not. */
export function nextLiteral(literal: Buffer, bytes: Buffer, from: number, to: number): number {
  const at = bytes.indexOf(literal, from);
  return at >= 0 && at + literal.length <= to ? at : to;
}
