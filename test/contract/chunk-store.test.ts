import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { chmod, mkdir, mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { once } from "node:events";
import { afterAll, describe, expect, it } from "vitest";
import type { Digest } from "../../core/brand.ts";
import { fileChunkStore } from "../../local/chunk-store.ts";
import { collect } from "../setup/collect.ts";
import { sessionIdAt } from "../setup/session-ids.ts";
import { chunkStoreContract } from "./chunk-store.ts";

const made: string[] = [];
const directory = async (): Promise<string> => {
  const path = await mkdtemp(join(tmpdir(), "sallyport-chunks-"));
  made.push(path);
  return path;
};
afterAll(async () => {
  for (const path of made) await rm(path, { recursive: true });
});

chunkStoreContract("files", async () => fileChunkStore(await directory()));

const SESSION = sessionIdAt(1_800_000_000_000);
const digest = (body: Uint8Array): Digest => createHash("sha256").update(body).digest("hex") as Digest;

describe("the chunk store of files", () => {
  it("makes its folder, which only its owner can enter, and leaves nothing but the objects in it", async () => {
    const path = join(await directory(), "not", "yet");
    const store = fileChunkStore(path);
    const body = Buffer.from("body");
    await store.put({ session: SESSION, sequence: 7 }, body, digest(body));
    await store.put({ session: SESSION, sequence: 7 }, body, digest(body));
    await store.putManifest(SESSION, "a.b.c");
    expect((await readdir(join(path, SESSION))).toSorted()).toEqual(["00000007.chunk", "manifest.jws"]);
    expect((await stat(join(path, SESSION))).mode & 0o777).toBe(0o700);
    expect((await stat(join(path, SESSION, "00000007.chunk"))).mode & 0o777).toBe(0o400);
  });

  it("shows no chunk but whole ones when its process is killed in the middle, and goes on afterwards", async () => {
    const path = await directory();
    // Each body says its own digest, so that a half one would show.
    const writer = `
      import { createHash } from "node:crypto";
      import { fileChunkStore } from ${JSON.stringify(new URL("../../local/chunk-store.ts", import.meta.url).href)};
      const store = fileChunkStore(process.argv[1]);
      for (let sequence = 0; ; sequence++) {
        const body = Buffer.alloc(300_000, String(sequence));
        await store.put({ session: process.argv[2], sequence }, body, createHash("sha256").update(body).digest("hex"));
        process.stdout.write(".");
      }`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", writer, path, SESSION]);
    let acknowledged = 0;
    for await (const dots of child.stdout as AsyncIterable<Buffer>) {
      acknowledged += dots.length;
      if (acknowledged >= 5) child.kill("SIGKILL");
    }
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
    await writeFile(join(path, SESSION, ".00000099.chunk.left-by-a-crash"), "half");

    const store = fileChunkStore(path);
    const keys = await collect(store.list(SESSION));
    expect(keys.length).toBeGreaterThanOrEqual(acknowledged);
    for (const [at, key] of keys.entries()) {
      expect(key.sequence).toBe(at);
      expect(Buffer.alloc(300_000, String(at)).equals(await store.get(key))).toBe(true);
    }
    const next = Buffer.from("next");
    await store.put({ session: SESSION, sequence: keys.length }, next, digest(next));
  });

  it("ignores files that are not chunks", async () => {
    const path = await directory();
    await mkdir(join(path, SESSION));
    for (const name of ["1.chunk", "00000001.chunk.tmp", "x00000001.chunk", "00000001.CHUNK", ".00000001.chunk"])
      await writeFile(join(path, SESSION, name), "");
    expect(await collect(fileChunkStore(path).list(SESSION))).toEqual([]);
  });

  it("says store-unavailable, not not-found, when the disk does not answer", async () => {
    const path = await directory();
    await writeFile(join(path, SESSION), "a file where the folder should be");
    const store = fileChunkStore(path);
    const body = Buffer.from("x");
    const key = { session: SESSION, sequence: 0 };
    await expect(store.put(key, body, digest(body))).rejects.toMatchObject({ code: "store-unavailable" });
    await expect(store.get(key)).rejects.toMatchObject({ code: "store-unavailable" });
    await expect(collect(store.list(SESSION))).rejects.toMatchObject({ code: "store-unavailable" });
    await chmod(join(path, SESSION), 0o600);
  });
});
