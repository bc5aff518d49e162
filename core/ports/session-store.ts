import type { Branded, Digest, Instant } from "../brand.ts";
import type { PrincipalId } from "../identity/principal.ts";
import type { PassId } from "./pass-store.ts";

/** A UUID version 7 (RFC 9562 §5.7) in its text form: sessions sort by their start. */
export type SessionId = Branded<string, "SessionId">;

export type Protocol = "postgres" | "ssh";

/** What is known of a session when it opens. All of it is the gateway's own knowledge, none the client's claim. */
export interface SessionOpening {
  readonly id: SessionId;
  readonly protocol: Protocol;
  readonly connection: string;
  readonly principalId: PrincipalId;
  readonly principalName: string;
  /** Who acted for the principal, whoever acted at the time first; absent where the principal acted alone. */
  readonly actors?: readonly PrincipalId[];
  readonly passId: PassId;
  /** `address:port` that the connection came from. */
  readonly client: string;
  readonly task: string;
  readonly startedAt: Instant;
}

export type CloseReason =
  | "client-closed"
  | "client-lost"
  | "target-closed"
  | "target-lost"
  | "refused"
  | "pass-revoked"
  | "recording-failed"
  | "protocol-violation"
  | "limit-exceeded"
  | "shutting-down"
  | "interrupted";

export interface SessionClosing {
  readonly endedAt: Instant;
  readonly reason: CloseReason;
  readonly statements: number;
  readonly bytesFromClient: number;
  readonly bytesFromTarget: number;
  readonly chunks: number;
  /** SHA-256 of the last chunk: the head of the session's hash chain. */
  readonly head: Digest;
}

/** `closing` is undefined while the session lives, or until a dead task's spool has been sealed. */
export type SessionRow = SessionOpening & { readonly closing: SessionClosing | undefined };

export interface SessionQuery {
  readonly principalId?: PrincipalId;
  readonly connection?: string;
  readonly from?: Instant;
  readonly to?: Instant;
  readonly live?: boolean;
  readonly limit: number;
  /** Continue after this session in newest-first order (a keyset, so that new sessions do not shift the pages). */
  readonly after?: SessionId;
}

/** The index of sessions. Every method throws SallyportError `store-unavailable` when the store cannot answer. */
export interface SessionStore {
  /** Refuses (`conflict`) an id that is there already. */
  open(row: SessionOpening): Promise<void>;
  /** Idempotent: sealing a session again after a crash writes the same closing; the first stays. */
  close(id: SessionId, closing: SessionClosing): Promise<void>;
  get(id: SessionId): Promise<SessionRow | undefined>;
  /** Newest first. */
  list(query: SessionQuery): Promise<SessionRow[]>;
  /** Sessions that ended before this, those that began longest ago first, at most `limit`: whose time may be over. */
  closedBefore(at: Instant, limit: number): Promise<SessionRow[]>;
  /** Forgets a session that has ended, as if it had never been. One that lives, or is not there, changes nothing. */
  forget(id: SessionId): Promise<void>;
}
