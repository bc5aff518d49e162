import type { SessionId } from "./session-store.ts";

/**
 * What a PostgreSQL CancelRequest needs to reach its target from whichever task it arrives at.
 * The key that the client holds is ours; the one that the target knows never leaves the gateway.
 */
export interface CancelTarget {
  readonly session: SessionId;
  readonly connection: string;
  readonly processId: number;
  /** The target's own secret. */
  readonly secret: Uint8Array;
}

export interface CancelKeys {
  /** @param clientSecret the secret that we gave the client; adapters store its SHA-256 only */
  put(processId: number, clientSecret: Uint8Array, target: CancelTarget): Promise<void>;
  find(processId: number, clientSecret: Uint8Array): Promise<CancelTarget | undefined>;
  remove(session: SessionId): Promise<void>;
}
