import { within } from "../within.ts";
import type { EvidenceStores } from "./closing.ts";

/** A store that has not answered by then is asked again: a chunk has a few megabytes, everything else a kilobyte. */
export const STORE_WITHIN_MS = 30_000;

/** The same stores, but a call that does not answer fails with `store-unavailable`. Every one of them may be made again. */
export function timelyStores({ chunks, sessions, signer }: EvidenceStores, ms: number): EvidenceStores {
  return {
    chunks: {
      put: (...given) => within(ms, chunks.put(...given), "storing a chunk"),
      get: (key) => within(ms, chunks.get(key), "reading a chunk"),
      async *list(session) {
        const keys = chunks.list(session)[Symbol.asyncIterator]();
        for (;;) {
          const next = await within(ms, keys.next(), "listing chunks");
          if (next.done === true) return;
          yield next.value;
        }
      },
      putManifest: (...given) => within(ms, chunks.putManifest(...given), "storing a manifest"),
      getManifest: (session) => within(ms, chunks.getManifest(session), "reading a manifest"),
    },
    sessions: {
      open: (row) => within(ms, sessions.open(row), "opening a session in the index"),
      close: (...given) => within(ms, sessions.close(...given), "closing a session in the index"),
      get: (id) => within(ms, sessions.get(id), "reading the index"),
      list: (query) => within(ms, sessions.list(query), "reading the index"),
    },
    signer: {
      publicKey: signer.publicKey,
      sign: (bytes) => within(ms, signer.sign(bytes), "signing a manifest"),
    },
  };
}
