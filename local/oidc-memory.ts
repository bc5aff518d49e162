import type { Adapter, AdapterPayload } from "oidc-provider";

/** Sign-ins, sessions and codes kept at once; the oldest give way, so that nobody can fill the memory. */
const MAX_ENTRIES = 10_000;

interface Entry {
  readonly payload: AdapterPayload;
  readonly expiresAt: number;
}

/** Memory for what the embedded OpenID provider keeps: it lives as long as the process, and through a change of keys. */
export function oidcMemory(): (model: string) => Adapter {
  const entries = new Map<string, Entry>();
  return (model) => ({
    find: async (id) => live(entries, `${model}:${id}`),
    findByUid: async (uid) => {
      const ofModel = [...entries.keys()].filter((key) => key.startsWith(`${model}:`));
      return ofModel.map((key) => live(entries, key)).find((payload) => payload?.uid === uid);
    },
    findByUserCode: async () => undefined,
    upsert: async (id, payload, expiresIn = Infinity) => {
      const key = `${model}:${id}`;
      entries.delete(key);
      entries.set(key, { payload, expiresAt: Date.now() + expiresIn * 1000 });
      const oldest = entries.keys().next();
      if (entries.size > MAX_ENTRIES && !oldest.done) entries.delete(oldest.value);
    },
    consume: async (id) => {
      const payload = live(entries, `${model}:${id}`);
      if (payload !== undefined) payload.consumed = Math.floor(Date.now() / 1000);
    },
    destroy: async (id) => void entries.delete(`${model}:${id}`),
    revokeByGrantId: async (grantId) => {
      for (const [key, { payload }] of entries) if (payload.grantId === grantId) entries.delete(key);
    },
  });
}

function live(entries: Map<string, Entry>, key: string): AdapterPayload | undefined {
  const entry = entries.get(key);
  if (entry !== undefined && entry.expiresAt > Date.now()) return entry.payload;
  entries.delete(key);
  return undefined;
}
