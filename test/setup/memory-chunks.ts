import { createHash } from "node:crypto";
import { SallyportError } from "../../core/errors.ts";
import type { ChunkKey, ChunkStore } from "../../core/ports/chunk-store.ts";
import type { SessionId } from "../../core/ports/session-store.ts";

/** Objects that a test can tamper with. */
export interface MemoryChunks extends ChunkStore {
  readonly chunks: Map<string, Buffer>;
  readonly manifests: Map<SessionId, string>;
  /** Chunks read so far. */
  reads: number;
}

export const nameOf = ({ session, sequence }: ChunkKey): string => `${session}/${sequence}`;

export function memoryChunks(): MemoryChunks {
  const store: MemoryChunks = {
    chunks: new Map(),
    manifests: new Map(),
    reads: 0,
    async put(key, body, sha256) {
      if (createHash("sha256").update(body).digest("hex") !== sha256) throw new SallyportError("conflict", "digest");
      if (store.chunks.get(nameOf(key))?.equals(body) === false) throw new SallyportError("conflict", "there already");
      store.chunks.set(nameOf(key), Buffer.from(body));
    },
    async get(key) {
      store.reads++;
      const body = store.chunks.get(nameOf(key));
      if (!body) throw new SallyportError("not-found", "no such chunk");
      return body;
    },
    async *list(session) {
      const names = [...store.chunks.keys()].filter((name) => name.startsWith(`${session}/`));
      const sequences = names.map((name) => Number(name.slice(session.length + 1)));
      for (const sequence of sequences.toSorted((a, b) => a - b)) yield { session, sequence };
    },
    async putManifest(session, jws) {
      if ((store.manifests.get(session) ?? jws) !== jws) throw new SallyportError("conflict", "there already");
      store.manifests.set(session, jws);
    },
    getManifest: async (session) => store.manifests.get(session),
  };
  return store;
}
