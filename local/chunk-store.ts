import { createHash } from "node:crypto";
import { link, open, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Digest } from "../core/brand.ts";
import { asSallyportError, SallyportError } from "../core/errors.ts";
import type { ChunkKey, ChunkStore } from "../core/ports/chunk-store.ts";
import type { SessionId } from "../core/ports/session-store.ts";
import {
  chunkNameOf,
  folderNameOf,
  MANIFEST_NAME,
  MAX_CHUNK_BYTES,
  MAX_MANIFEST_BYTES,
  sequenceOf,
} from "../core/recording/object-names.ts";
import { makeFolder, syncFile, syncFolder, systemCode, writeOnce } from "./files.ts";

/** Of the state folder. */
export const RECORDINGS_FOLDER = "recordings";
const FOLDER_MODE = 0o700;
/** Objects are written once: not even their owner opens them for writing by mistake. */
const FILE_MODE = 0o400;

function folderOf(directory: string, session: SessionId): string {
  return join(directory, folderNameOf(session));
}

function pathOf(directory: string, key: ChunkKey): string {
  return join(folderOf(directory, key.session), chunkNameOf(key));
}

/** Reads a whole file of at most `limit` bytes; undefined where there is none. */
async function readBounded(path: string, limit: number): Promise<Buffer | undefined> {
  let handle;
  try {
    handle = await open(path, "r");
  } catch (thrown) {
    if (systemCode(thrown) === "ENOENT") return undefined;
    throw thrown;
  }
  try {
    const { size } = await handle.stat();
    if (size > limit) throw new SallyportError("store-unavailable", "a stored object is larger than any of ours");
    return await handle.readFile();
  } finally {
    await handle.close();
  }
}

/** Removes a session's folder with all that is in it, where there is one. For retention alone: nothing else deletes evidence. */
export function recordingRemover(directory: string): (session: SessionId) => Promise<void> {
  return (session) =>
    guarded("remove a recording", () => rm(folderOf(directory, session), { recursive: true, force: true }));
}

async function guarded<T>(what: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (thrown) {
    throw asSallyportError(thrown, "store-unavailable", `the chunk store could not ${what}`);
  }
}

/** Stores an object that is never changed: the same bytes again are fine, others are a `conflict`. */
async function putOnce(directory: string, folder: string, path: string, bytes: Uint8Array, limit: number) {
  await makeFolder(folder, FOLDER_MODE);
  if (!(await writeOnce(path, bytes, FILE_MODE))) {
    const there = await readBounded(path, limit);
    if (!there?.equals(bytes)) throw new SallyportError("conflict", "another object is stored under this name");
  }
  // Also where the name or the folder was there: whoever made it may have died before this.
  await syncFolder(folder);
  await syncFolder(directory);
}

/** Gives a file a second name; false where that name is taken, or cannot be on this file system. */
async function linked(file: string, path: string): Promise<boolean> {
  try {
    await link(file, path);
    return true;
  } catch (thrown) {
    if (["EEXIST", "EXDEV", "EPERM", "EMLINK"].includes(systemCode(thrown) ?? "")) return false;
    throw thrown;
  }
}

/**
 * Recordings as files: `directory/<session>/<8 digits>.chunk` and `manifest.jws`.
 * @param directory where recordings live; made if need be
 */
export function fileChunkStore(directory: string): ChunkStore {
  const put = async (key: ChunkKey, body: Uint8Array, sha256: Digest): Promise<void> => {
    const path = pathOf(directory, key);
    if (body.length > MAX_CHUNK_BYTES) throw new SallyportError("limit-exceeded", "a chunk is too large");
    if (createHash("sha256").update(body).digest("hex") !== sha256)
      throw new SallyportError("conflict", "the chunk's bytes are not those of its digest");
    await putOnce(directory, folderOf(directory, key.session), path, body, MAX_CHUNK_BYTES);
  };
  const adopt = async (chunks: readonly (ChunkKey & { readonly file: string })[]): Promise<boolean> => {
    const folders = new Set(chunks.map(({ session }) => folderOf(directory, session)));
    for (const folder of folders) await makeFolder(folder, FOLDER_MODE);
    for (const chunk of chunks) {
      await syncFile(chunk.file);
      if (!(await linked(chunk.file, pathOf(directory, chunk)))) return false;
    }
    for (const folder of [...folders, directory]) await syncFolder(folder);
    return true;
  };
  const get = async (key: ChunkKey): Promise<Uint8Array> => {
    const bytes = await readBounded(pathOf(directory, key), MAX_CHUNK_BYTES);
    if (!bytes) throw new SallyportError("not-found", `chunk ${key.sequence} of the recording is not there`);
    return bytes;
  };
  const sequences = async (session: SessionId): Promise<number[]> => {
    const folder = folderOf(directory, session);
    const names = await readdir(folder).catch((thrown: unknown) => {
      if (systemCode(thrown) === "ENOENT") return [];
      throw thrown;
    });
    return names.flatMap((name) => sequenceOf(name) ?? []).toSorted((a, b) => a - b);
  };
  const putManifest = async (session: SessionId, jws: string): Promise<void> => {
    const folder = folderOf(directory, session);
    const bytes = Buffer.from(jws, "utf8");
    if (bytes.length > MAX_MANIFEST_BYTES) throw new SallyportError("limit-exceeded", "a manifest is too large");
    await putOnce(directory, folder, join(folder, MANIFEST_NAME), bytes, MAX_MANIFEST_BYTES);
  };
  const getManifest = async (session: SessionId): Promise<string | undefined> => {
    const bytes = await readBounded(join(folderOf(directory, session), MANIFEST_NAME), MAX_MANIFEST_BYTES);
    return bytes?.toString("utf8");
  };
  return {
    put: (key, body, sha256) => guarded("store a chunk", () => put(key, body, sha256)),
    adopt: (chunks) => guarded("store chunks", () => adopt(chunks)),
    get: (key) => guarded("read a chunk", () => get(key)),
    async *list(session) {
      for (const sequence of await guarded("list a session's chunks", () => sequences(session)))
        yield { session, sequence };
    },
    putManifest: (session, jws) => guarded("store a manifest", () => putManifest(session, jws)),
    getManifest: (session) => guarded("read a manifest", () => getManifest(session)),
  };
}
