import type { SecretVault } from "../../../core/ports/secret-vault.ts";

export interface MemoryVault extends SecretVault {
  readonly versions: Map<string, string[]>;
}

/** A vault as Secrets Manager is one: a request id that was used makes no second value. */
export function memoryVault(): MemoryVault {
  const versions = new Map<string, string[]>();
  const requests = new Set<string>();
  return {
    versions,
    current: (secret) => Promise.resolve(versions.get(secret)?.at(-1)),
    put(secret, value, request) {
      const id = `${secret} ${request}`;
      if (!requests.has(id)) versions.set(secret, [...(versions.get(secret) ?? []), value]);
      requests.add(id);
      return Promise.resolve();
    },
  };
}
