import { createHash } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import type { Digest } from "../../core/brand.ts";
import type { ChunkKey, ChunkStore } from "../../core/ports/chunk-store.ts";
import type { SessionId } from "../../core/ports/session-store.ts";
import { collect } from "../setup/collect.ts";
import { sessionIdAt } from "../setup/session-ids.ts";

const digest = (body: Uint8Array): Digest => createHash("sha256").update(body).digest("hex") as Digest;
const SESSION = sessionIdAt(1_800_000_000_000);
const OTHER = sessionIdAt(1_800_000_000_001);
const key = (sequence: number, session = SESSION): ChunkKey => ({ session, sequence });
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

const HOSTILE_IDS = [
  "",
  ".",
  "..",
  "../../etc/passwd",
  `../${SESSION}`,
  `${SESSION}/..`,
  `${SESSION}\0`,
  `${SESSION}\n`,
  SESSION.toUpperCase().replace("0000", "ABCD"),
  SESSION.replaceAll("-", ""),
  "%2e%2e%2f",
];

/** What every ChunkStore promises. @param make an empty store */
export function chunkStoreContract(name: string, make: () => Promise<ChunkStore>): void {
  describe(`a chunk store (${name})`, () => {
    let store: ChunkStore;
    const put = (at: ChunkKey, body: Uint8Array): Promise<void> => store.put(at, body, digest(body));
    const text = async (at: ChunkKey): Promise<string> => Buffer.from(await store.get(at)).toString();
    const listed = async (session: SessionId): Promise<number[]> => {
      const keys = await collect(store.list(session));
      for (const listedKey of keys) expect(listedKey.session).toBe(session);
      return keys.map((listedKey) => listedKey.sequence);
    };
    beforeEach(async () => {
      store = await make();
    });

    it("gives back the bytes that were put, whatever they are", async () => {
      let sequence = 0;
      await fc.assert(
        fc.asyncProperty(fc.uint8Array({ maxLength: 5_000 }), async (body) => {
          const at = key(sequence++);
          await put(at, body);
          expect(Buffer.from(await store.get(at)).equals(body)).toBe(true);
        }),
        { numRuns: 30 },
      );
    });

    it("takes files that hold chunks, where it says that it has, and never over a chunk that is there", async () => {
      const folder = await mkdtemp(join(tmpdir(), "sallyport-adopt-"));
      const files = ["one", "two"].map((file, sequence) => ({ ...key(sequence), file: join(folder, file) }));
      for (const { file } of files) await writeFile(file, file);
      if ((await store.adopt?.(files)) === true) {
        await rm(folder, { recursive: true });
        for (const { file, sequence } of files) expect(await text(key(sequence))).toBe(file);
      }
      await put(key(2), bytes("there first"));
      await mkdir(folder, { recursive: true });
      await writeFile(join(folder, "late"), "too late");
      expect((await store.adopt?.([{ ...key(2), file: join(folder, "late") }])) ?? false).toBe(false);
      expect(await text(key(2))).toBe("there first");
      await rm(folder, { recursive: true });
    });

    it("keeps a body of eight megabytes", async () => {
      const body = new Uint8Array(8 << 20).fill(3);
      await put(key(0), body);
      expect(digest(await store.get(key(0)))).toBe(digest(body));
    });

    it("stores nothing whose bytes are not those of its digest", async () => {
      const wrong = store.put(key(0), bytes("altered on the way"), digest(bytes("as it was")));
      await expect(wrong).rejects.toMatchObject({ code: "conflict" });
      await expect(store.get(key(0))).rejects.toMatchObject({ code: "not-found" });
      expect(await listed(SESSION)).toEqual([]);
      await put(key(0), bytes("as it was"));
    });

    it("takes the same bytes again, and refuses others, which change nothing", async () => {
      await put(key(0), bytes("first"));
      await put(key(0), bytes("first"));
      for (const other of ["", "f", "first ", "FIRST", "x".repeat(100_000)])
        await expect(put(key(0), bytes(other))).rejects.toMatchObject({ code: "conflict" });
      expect(await text(key(0))).toBe("first");
    });

    it("lets exactly one of many different bodies win a key, whole", async () => {
      const bodies = Array.from({ length: 16 }, (_, n) => `${n} `.repeat(50_000));
      const results = await Promise.allSettled(bodies.map((body) => put(key(0), bytes(body))));
      const won = results.flatMap((result, n) => (result.status === "fulfilled" ? [bodies[n]] : []));
      expect(won).toHaveLength(1);
      expect(await text(key(0))).toBe(won[0]);
      for (const result of results)
        if (result.status === "rejected") expect(result.reason).toMatchObject({ code: "conflict" });
    });

    it("lets all of many equal puts at once succeed", async () => {
      await Promise.all(Array.from({ length: 16 }, () => put(key(0), bytes("same"))));
      expect(await text(key(0))).toBe("same");
    });

    it("lists a session's chunks in the order of their sequence, and no other session's", async () => {
      for (const sequence of [10, 2, 0, 100_000, 9, 1, 11]) await put(key(sequence), bytes(`${sequence}`));
      await put(key(5, OTHER), bytes("other"));
      await store.putManifest(SESSION, "a.b.c");
      expect(await listed(SESSION)).toEqual([0, 1, 2, 9, 10, 11, 100_000]);
      expect(await listed(OTHER)).toEqual([5]);
      expect(await listed(sessionIdAt(7))).toEqual([]);
    });

    it("says that a chunk or a manifest is not there", async () => {
      await put(key(0), bytes("x"));
      await expect(store.get(key(1))).rejects.toMatchObject({ code: "not-found" });
      await expect(store.get(key(0, OTHER))).rejects.toMatchObject({ code: "not-found" });
      expect(await store.getManifest(SESSION)).toBeUndefined();
      expect(await store.getManifest(OTHER)).toBeUndefined();
    });

    it("keeps the first manifest", async () => {
      await store.putManifest(SESSION, "a.b.c");
      await store.putManifest(SESSION, "a.b.c");
      await expect(store.putManifest(SESSION, "a.b.d")).rejects.toMatchObject({ code: "conflict" });
      expect(await store.getManifest(SESSION)).toBe("a.b.c");
    });

    it("refuses ids and sequences that could name anything but a chunk", async () => {
      const refused = { code: "bad-request" };
      for (const id of HOSTILE_IDS as SessionId[]) {
        await expect(put(key(0, id), bytes("x"))).rejects.toMatchObject(refused);
        await expect(store.get(key(0, id))).rejects.toMatchObject(refused);
        await expect(collect(store.list(id))).rejects.toMatchObject(refused);
        await expect(store.putManifest(id, "a.b.c")).rejects.toMatchObject(refused);
        await expect(store.getManifest(id)).rejects.toMatchObject(refused);
      }
      for (const sequence of [-1, 0.5, Number.NaN, Infinity, 100_000_000, "../0" as unknown as number]) {
        await expect(put(key(sequence), bytes("x"))).rejects.toMatchObject(refused);
        await expect(store.get(key(sequence))).rejects.toMatchObject(refused);
      }
    });

    it("refuses objects larger than any of ours", async () => {
      await expect(put(key(0), new Uint8Array(10 << 20))).rejects.toMatchObject({ code: "limit-exceeded" });
      await expect(store.putManifest(SESSION, "x".repeat(65_537))).rejects.toMatchObject({ code: "limit-exceeded" });
    });
  });
}
