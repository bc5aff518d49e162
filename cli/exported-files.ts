import { readdir } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { SallyportError } from "../core/errors.ts";
import type { SessionId } from "../core/ports/session-store.ts";
import type { PublicJwk } from "../core/ports/signer.ts";
import { sha256, toDigest } from "../core/recording/chunk.ts";
import { isSessionId } from "../core/recording/session-id.ts";
import { type Verification, verifySession } from "../core/recording/verify.ts";
import { fileChunkStore } from "../local/chunk-store.ts";
import { systemCode } from "../local/files.ts";
import type { Api } from "./api-client.ts";
import { sessionView, signingKeysView } from "./api-views.ts";
import { PUBLIC_FILE, replaceFile } from "./private-files.ts";

const KEYS_FILE = "signing-keys.json";

export interface Exported {
  readonly session: SessionId;
  /** The session's own folder, and the file of the public keys beside it. */
  readonly folder: string;
  readonly keys: string;
  readonly chunks: number;
}

/**
 * Copies a closed session's objects into `folder/<session>/`, as they are stored, and the server's public keys beside them.
 * What is there already stays, so that an export that broke off can be done again; other bytes there are a `conflict`.
 * Throws `recording-corrupt` when the server's store lacks any of them, after it has copied the rest.
 */
export async function exportSession(api: Api, path: string, folder: string): Promise<Exported> {
  const { id, live, chunks } = await api.json({ path }, sessionView);
  if (live || chunks === null || !isSessionId(id))
    throw new SallyportError("conflict", `${id} is live: it can be exported when it has closed`);
  const { keys } = await api.json({ path: "/api/signing-keys" }, signingKeysView);
  const store = fileChunkStore(folder);
  const missing: string[] = [];
  for (let sequence = 0; sequence < chunks; sequence++) {
    const bytes = await unlessMissing(api.bytes({ path: `${path}/chunks/${sequence}` }));
    if (bytes === undefined) missing.push(`chunk ${sequence}`);
    else await store.put({ session: id, sequence }, bytes, toDigest(sha256(bytes)));
  }
  const manifest = await unlessMissing(api.text({ path: `${path}/manifest` }));
  if (manifest === undefined) missing.push("the manifest");
  else await store.putManifest(id, manifest);
  const file = join(folder, KEYS_FILE);
  await replaceFile(file, `${JSON.stringify({ keys }, null, 2)}\n`, PUBLIC_FILE);
  if (missing.length > 0)
    throw new SallyportError("recording-corrupt", `${missing[0]} is not in the server's store`, {
      hint: `What there is was exported; ${missing.length} of ${chunks + 1} objects are missing.`,
    });
  return { session: id, folder: join(folder, id), keys: file, chunks };
}

async function unlessMissing<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (thrown) {
    if (thrown instanceof SallyportError && thrown.code === "not-found") return undefined;
    throw thrown;
  }
}

/**
 * Verifies recordings by their files alone, one after the other.
 * @param folder one session's folder, or one that holds such folders; each bears its session's id
 * @param only the session of the latter to look at; all by default
 */
export async function* verifyFiles(
  folder: string,
  only: string | undefined,
  publicKeys: readonly PublicJwk[],
): AsyncGenerator<Verification, void> {
  const place = resolve(folder);
  const name = basename(place);
  const sessions = isSessionId(name) ? [name] : await sessionsIn(place);
  const chosen = only === undefined ? sessions : sessions.filter((session) => session === only);
  if (chosen.length === 0)
    throw new SallyportError("not-found", `${folder} holds no recording${only === undefined ? "" : ` of ${only}`}`, {
      hint: "A recording is a folder that bears its session's id, with the chunks and the manifest in it.",
    });
  const store = fileChunkStore(isSessionId(name) ? dirname(place) : place);
  for (const session of chosen) yield await verifySession(store, session, publicKeys);
}

async function sessionsIn(folder: string): Promise<SessionId[]> {
  try {
    return (await readdir(folder)).filter(isSessionId).toSorted();
  } catch (cause) {
    const why = systemCode(cause) === "ENOENT" ? "is not there" : "cannot be read";
    throw new SallyportError("not-found", `${folder} ${why}`, { cause });
  }
}
