import type { ChannelOpenedEvent, Terminal } from "../../core/recording/ssh-events.ts";
import type { NumberedChannel, Side } from "../../core/ssh/channel-table.ts";
import type { FieldReader } from "../../core/ssh/field-reader.ts";
import type { CommandRun } from "./command-run.ts";
import { MAX_PATH_BYTES } from "./tap.ts";

/** A request of the client's on a channel that is to be answered: for a command, for a terminal, or so many others. */
export type Awaited =
  | { readonly kind: "command"; readonly run: CommandRun }
  | { readonly kind: "terminal" }
  | { readonly kind: "others"; count: number };

/** A channel, and what goes on in it. */
export interface Channel extends NumberedChannel {
  readonly opening: Opening;
  readonly refused: boolean;
  readonly askedAt: number;
  openedAt: number;
  fromClient: number;
  toClient: number;
  /** What a pty-req asked for. */
  terminal: Terminal | undefined;
  /** The command that runs in it, or was asked for first. */
  run: CommandRun | undefined;
  readonly awaited: Awaited[];
  /** There were too many of those: answers are no longer matched. */
  isBlind: boolean;
  /** Who has said that it is closed; first. */
  closedBy: Side | undefined;
}

/** What an open tells of a channel. */
export type Opening = Pick<ChannelOpenedEvent, "kind" | "from" | "to" | "path">;

const MAX_NAME_BYTES = 64;
const MAX_HOST_BYTES = 1 << 10;

/** The fields of a CHANNEL_OPEN behind its sender's number, by its kind (RFC 4254 §6.3.2, §7.2; OpenSSH's PROTOCOL §2.4). */
export function openingOf(kind: string, fields: FieldReader): Opening {
  // Initial window and maximum packet size.
  fields.uint32();
  fields.uint32();
  switch (kind) {
    case "direct-tcpip":
    case "forwarded-tcpip": {
      const to = endpointOf(fields);
      return { kind, from: endpointOf(fields), to };
    }
    case "x11":
      return { kind, from: endpointOf(fields) };
    case "direct-streamlocal":
    case "forwarded-streamlocal":
      return { kind, path: fields.string(MAX_PATH_BYTES).text };
    default:
      return { kind };
  }
}

/** The kind of a channel, or the name of a request: without OpenSSH's domain, by which it is no less the same. */
export function nameOf(fields: FieldReader): string {
  const { text } = fields.string(MAX_NAME_BYTES);
  return text.endsWith("@openssh.com") ? text.slice(0, -"@openssh.com".length) : text;
}

export function endpointOf(fields: FieldReader): { host: string; port: number } {
  return { host: fields.string(MAX_HOST_BYTES).text, port: fields.uint32() };
}

/** What a channel weighs, roughly. */
const CHANNEL_BYTES = 600;
const AWAITED_BYTES = 64;

export function heldBy({ awaited, run, opening }: Channel): number {
  let held = CHANNEL_BYTES + AWAITED_BYTES * awaited.length + 2 * (opening.path?.length ?? 0);
  for (const one of awaited) if (one.kind === "command" && one.run !== run) held += weightOf(one.run);
  return run === undefined ? held : held + weightOf(run);
}

function weightOf({ text, tap }: CommandRun): number {
  return CHANNEL_BYTES + 2 * text.text.length + (tap?.held ?? 0);
}
