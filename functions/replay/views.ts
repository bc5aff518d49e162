import type { SessionRow } from "../../core/ports/session-store.ts";
import { type Frame, FLAG_REDACTED, FLAG_WITHHELD, FRAME_KIND } from "../../core/recording/frame.ts";
import { formatInstant } from "../../core/recording/line-format.ts";
import type { Numbered } from "./recordings.ts";

/** A session as programs see it. Times are ISO 8601 in UTC; what only a closed session has is null before. */
export interface SessionView {
  readonly id: string;
  readonly protocol: string;
  readonly connection: string;
  readonly principal: { readonly id: string; readonly name: string };
  /** Ids of who acted for the principal, whoever acted at the time first. */
  readonly actors: readonly string[];
  readonly pass: string;
  readonly client: string;
  readonly task: string;
  readonly startedAt: string;
  readonly live: boolean;
  readonly endedAt: string | null;
  readonly reason: string | null;
  readonly statements: number | null;
  readonly bytesFromClient: number | null;
  readonly bytesFromTarget: number | null;
  readonly chunks: number | null;
  /** SHA-256 of the last chunk. */
  readonly head: string | null;
}

export function sessionView(row: SessionRow): SessionView {
  const { closing } = row;
  return {
    id: row.id,
    protocol: row.protocol,
    connection: row.connection,
    principal: { id: row.principalId, name: row.principalName },
    actors: row.actors ?? [],
    pass: row.passId,
    client: row.client,
    task: row.task,
    startedAt: formatInstant(row.startedAt),
    live: closing === undefined,
    endedAt: closing ? formatInstant(closing.endedAt) : null,
    reason: closing?.reason ?? null,
    statements: closing?.statements ?? null,
    bytesFromClient: closing?.bytesFromClient ?? null,
    bytesFromTarget: closing?.bytesFromTarget ?? null,
    chunks: closing?.chunks ?? null,
    head: closing?.head ?? null,
  };
}

/** A raw frame; `number` counts frames of every kind from 0, `micros` is the time since the session's start. */
export interface FrameView {
  readonly number: number;
  readonly kind: keyof typeof FRAME_KIND;
  readonly micros: number;
  readonly channel: number;
  readonly flags: readonly ("redacted" | "withheld")[];
  /** base64 (RFC 4648 §4). */
  readonly payload: string;
}

const KIND_NAMES = { [FRAME_KIND.input]: "input", [FRAME_KIND.output]: "output", [FRAME_KIND.event]: "event" } as const;

const FLAGS = [
  [FLAG_REDACTED, "redacted"],
  [FLAG_WITHHELD, "withheld"],
] as const;

export function frameView({ number, item }: Numbered<Frame>): FrameView {
  const { kind, micros, channel, flags, payload } = item;
  return {
    number,
    kind: KIND_NAMES[kind],
    micros,
    channel,
    flags: FLAGS.filter(([bit]) => (flags & bit) !== 0).map(([, name]) => name),
    payload: payload.toString("base64"),
  };
}
