import type { FileEvent } from "../../core/recording/ssh-events.ts";

/** Follows the protocol that a command speaks within its channel. Pieces are its user's again when the call ends. */
export interface Tap {
  fromClient(bytes: Buffer, start: number, end: number, micros: number, flags: number): void;
  /** Of standard output alone. */
  fromTarget(bytes: Buffer, start: number, end: number, micros: number, flags: number): void;
  /** The channel is closed: what is unanswered stays so. */
  finish(micros: number): void;
  /** Bytes of memory that it holds on to, roughly. */
  readonly held: number;
}

/** Takes what a tap tells. */
export interface TapSink {
  file(event: Omit<FileEvent, "type" | "channel">, micros: number): void;
  /** The tap cannot follow any further. */
  lost(why: string, micros: number): void;
}

/** Bytes of a path that are kept: PATH_MAX of Linux. */
export const MAX_PATH_BYTES = 4 << 10;
/** Bytes of what the target says about a failure. */
export const MAX_MESSAGE_BYTES = 512;
