import { beforeEach, describe, expect, it } from "vitest";
import type { CancelKeys, CancelTarget } from "../../core/ports/cancel-keys.ts";
import { sessionIdAt } from "../setup/session-ids.ts";

const PID = 4711;
const secret = (length: number, fill = 7): Uint8Array => new Uint8Array(length).fill(fill);
const target = (n: number): CancelTarget => ({
  session: sessionIdAt(1_800_000_000_000, n),
  connection: "shop",
  processId: PID,
  secret: secret(4, 100 + n),
});
/** A target as plain data: adapters may give a Buffer or a Uint8Array. */
const plain = (found: CancelTarget | undefined) => found && { ...found, secret: [...found.secret] };

/** What every CancelKeys promises. @param make an empty store */
export function cancelKeysContract(name: string, make: () => Promise<CancelKeys>): void {
  describe(`cancel keys (${name})`, () => {
    let keys: CancelKeys;
    beforeEach(async () => {
      keys = await make();
    });

    it("finds a target by secrets of every length that the protocol allows", async () => {
      for (const [n, length] of [4, 5, 31, 32, 33, 255, 256].entries()) {
        await keys.put(PID, secret(length), target(n));
        expect(plain(await keys.find(PID, secret(length)))).toEqual(plain(target(n)));
      }
    });

    it("finds nothing by a wrong process id, a wrong secret, a prefix of it, or one that is longer", async () => {
      const right = secret(32);
      await keys.put(PID, right, target(1));
      for (const at of right.keys()) expect(await keys.find(PID, right.with(at, 8))).toBeUndefined();
      for (const length of [0, 1, 4, 31, 33, 256, 257, 10_000])
        expect(await keys.find(PID, secret(length))).toBeUndefined();
      for (const processId of [0, -1, PID + 1, 2 ** 31 - 1, -(2 ** 31)])
        expect(await keys.find(processId, right)).toBeUndefined();
    });

    it("tells apart targets that have the same process id", async () => {
      await keys.put(PID, secret(4, 1), target(1));
      await keys.put(PID, secret(4, 2), target(2));
      expect(plain(await keys.find(PID, secret(4, 1)))).toEqual(plain(target(1)));
      expect(plain(await keys.find(PID, secret(4, 2)))).toEqual(plain(target(2)));
    });

    it("never lets one session take over another's key, and lets a session put its own again", async () => {
      await keys.put(PID, secret(4), target(1));
      await expect(keys.put(PID, secret(4), target(2))).rejects.toMatchObject({ code: "conflict" });
      expect(plain(await keys.find(PID, secret(4)))).toEqual(plain(target(1)));
      const again = { ...target(1), secret: secret(32, 9) };
      await keys.put(PID, secret(4), again);
      expect(plain(await keys.find(PID, secret(4)))).toEqual(plain(again));
    });

    it("refuses secrets that the protocol does not allow", async () => {
      for (const length of [0, 1, 3, 257])
        await expect(keys.put(PID, secret(length), target(1))).rejects.toMatchObject({ code: "bad-request" });
    });

    it("forgets all keys of a session that ended, and no others", async () => {
      await keys.put(PID, secret(4, 1), target(1));
      await keys.put(PID + 1, secret(32, 1), target(1));
      await keys.put(PID, secret(4, 2), target(2));
      await keys.remove(target(1).session);
      await keys.remove(target(1).session);
      expect(await keys.find(PID, secret(4, 1))).toBeUndefined();
      expect(await keys.find(PID + 1, secret(32, 1))).toBeUndefined();
      expect(plain(await keys.find(PID, secret(4, 2)))).toEqual(plain(target(2)));
    });
  });
}
