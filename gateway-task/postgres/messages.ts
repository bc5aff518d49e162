/**
 * Every message of the PostgreSQL frontend/backend protocol 3.x (PostgreSQL 18 §54.7), by its tag, one table a direction.
 * A tag that is not in its table is a protocol violation and ends the session.
 */
interface FrontendRow {
  readonly name: string;
  /** Its text decides what runs: it is held back until it is whole, so that it can be judged and redacted as a whole. */
  readonly whole: boolean;
}

export const FRONTEND = {
  B: { name: "Bind", whole: false },
  C: { name: "Close", whole: false },
  d: { name: "CopyData", whole: false },
  c: { name: "CopyDone", whole: false },
  f: { name: "CopyFail", whole: false },
  D: { name: "Describe", whole: false },
  E: { name: "Execute", whole: false },
  H: { name: "Flush", whole: false },
  F: { name: "FunctionCall", whole: false },
  P: { name: "Parse", whole: true },
  Q: { name: "Query", whole: true },
  S: { name: "Sync", whole: false },
  X: { name: "Terminate", whole: false },
} as const satisfies Record<string, FrontendRow>;

/** `p` (PasswordMessage, SASLInitialResponse, …) is legal only while the gateway itself authenticates the client. */
export const PASSWORD_MESSAGE = "p";

interface BackendRow {
  readonly name: string;
}

export const BACKEND = {
  R: { name: "Authentication" },
  K: { name: "BackendKeyData" },
  2: { name: "BindComplete" },
  3: { name: "CloseComplete" },
  C: { name: "CommandComplete" },
  d: { name: "CopyData" },
  c: { name: "CopyDone" },
  G: { name: "CopyInResponse" },
  H: { name: "CopyOutResponse" },
  W: { name: "CopyBothResponse" },
  D: { name: "DataRow" },
  I: { name: "EmptyQueryResponse" },
  E: { name: "ErrorResponse" },
  V: { name: "FunctionCallResponse" },
  v: { name: "NegotiateProtocolVersion" },
  n: { name: "NoData" },
  N: { name: "NoticeResponse" },
  A: { name: "NotificationResponse" },
  t: { name: "ParameterDescription" },
  S: { name: "ParameterStatus" },
  1: { name: "ParseComplete" },
  s: { name: "PortalSuspended" },
  Z: { name: "ReadyForQuery" },
  T: { name: "RowDescription" },
} as const satisfies Record<string, BackendRow>;

/** Tag byte and length word. */
export const MESSAGE_HEADER_BYTES = 5;

/** A message's length word counts itself. */
export const MIN_MESSAGE_LENGTH = 4;

/** PostgreSQL's own bound (PQ_LARGE_MESSAGE_LIMIT is MaxAllocSize - 1, src/include/utils/memutils.h). */
export const MAX_MESSAGE_LENGTH = 0x3fffffff;

/** Behind the last of the complete messages of one type that stand at `at`, one after another. */
export function behindAll(tag: number, bytes: Buffer, at: number): number {
  let to = at;
  while (bytes.length - to >= MESSAGE_HEADER_BYTES && bytes[to] === tag) {
    const length = bytes.readUInt32BE(to + 1);
    if (length < MIN_MESSAGE_LENGTH || to + 1 + length > bytes.length) break;
    to += 1 + length;
  }
  return to;
}
