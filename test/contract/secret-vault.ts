import { randomUUID } from "node:crypto";
import { beforeEach, expect, it } from "vitest";
import type { SecretVault } from "../../core/ports/secret-vault.ts";

/** The promises of a vault. `open` gives one, and the name of a secret in it that has no value yet. */
export function secretVaultContract(
  open: () => Promise<{ readonly vault: SecretVault; readonly secret: string }>,
): void {
  let vault: SecretVault;
  let secret: string;
  beforeEach(async () => {
    ({ vault, secret } = await open());
  });

  it("has no value of a secret that has none yet", async () => {
    expect(await vault.current(secret)).toBeUndefined();
  });

  it("has the value that was put last", async () => {
    await vault.put(secret, "one", randomUUID());
    expect(await vault.current(secret)).toBe("one");
    await vault.put(secret, "two", randomUUID());
    expect(await vault.current(secret)).toBe("two");
  });

  it("takes no second value of one request", async () => {
    const request = randomUUID();
    await vault.put(secret, "one", request);
    await vault.put(secret, "two", request);
    expect(await vault.current(secret)).toBe("one");
  });
}
