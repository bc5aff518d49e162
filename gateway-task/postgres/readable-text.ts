import { SallyportError } from "../../core/errors.ts";
import type { TextFacts } from "./facts-reader.ts";
import { MESSAGE_HEADER_BYTES } from "./messages.ts";

/**
 * Settings by which the same bytes become another statement, with the values under which they are what our parser reads:
 * elsewhere a quote may end later than it seems, and hide a statement.
 */
const READING: Readonly<Record<string, RegExp>> = {
  standard_conforming_strings: /^(?:on|true|yes|1)$/i,
  backslash_quote: /^(?:safe_encoding|off|false|no|0)$/i,
  client_encoding: /^(?:utf-?8|unicode|sql_ascii)$/i,
};
const ASSIGNMENT = /^\s*set\s+(?:session\s+)?(?:(\w+)\s*(?:=|\s+to\s)|(names))\s*(?:'([\w-]+)'|([\w-]+))\s*;?\s*$/i;
/** `-c name=value` and `--name=value`, as in `options`, where a backslash keeps a space (§20.1.3). */
const OPTION = /(?:-c\s*|--)([\w.-]+)\s*=\s*((?:\\.|\S)*)/g;

function isSafe(name: string, value: string): boolean {
  return READING[name.toLowerCase().replaceAll("-", "_")]?.test(value) ?? true;
}

/** Whether a text sets one of those settings to anything but the values that change nothing. */
export function changesHowTextIsRead(facts: TextFacts, text: Buffer): boolean {
  const changed = facts
    .flatMap(({ settings }) => settings)
    .filter((name) => Object.hasOwn(READING, name.toLowerCase()));
  if (changed.length === 0) return false;
  if (facts.length > 1 || text.length > 200) return true;
  const [, name, names, quoted, bare] = ASSIGNMENT.exec(text.toString("latin1")) ?? [];
  const value = quoted ?? bare;
  const set = names === undefined ? name : "client_encoding";
  return set === undefined || value === undefined || !isSafe(set, value);
}

/** Refuses start-up settings of a guarded session that change how its statements are read. */
export function demandReadable(settings: ReadonlyMap<string, string>): void {
  for (const [name, value] of settings) {
    if (!isSafe(name, value)) throw unreadable(name);
    if (name === "options")
      for (const [, option = "", given = ""] of value.matchAll(OPTION))
        if (!isSafe(option, given.replaceAll("\\", ""))) throw unreadable(option);
  }
}

/** Refuses a target whose own defaults do so: what its greeting says by ParameterStatus. */
export function demandReadableGreeting(greeting: Buffer): void {
  for (let at = 0; at + MESSAGE_HEADER_BYTES <= greeting.length;) {
    const end = at + 1 + greeting.readUInt32BE(at + 1);
    const [name = "", value = ""] = greeting.toString("latin1", at + MESSAGE_HEADER_BYTES, end).split("\0");
    if (greeting[at] === PARAMETER_STATUS && !isSafe(name, value) && !SINGLE_BYTE.test(value)) throw unreadable(name);
    at = end;
  }
}

const PARAMETER_STATUS = 0x53;
/** A database's own encoding, where the client names none: in these every byte below 128 is what it is in ASCII. */
const SINGLE_BYTE = /^(?:latin\d+|win\d+|iso_8859_\d|koi8[ru]|euc_\w+)$/i;

function unreadable(name: string): SallyportError {
  return new SallyportError(
    "access-denied",
    `the setting ${name} changes how SQL is read, so that it cannot be judged`,
    {
      hint: "Leave standard_conforming_strings on, and use the client encoding UTF8 (PGCLIENTENCODING=UTF8).",
    },
  );
}
