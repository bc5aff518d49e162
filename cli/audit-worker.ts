import { join } from "node:path";
import { parentPort, workerData } from "node:worker_threads";
import { asSallyportError } from "../core/errors.ts";
import type { ChunkKey } from "../core/ports/chunk-store.ts";
import { chunkAuditor } from "../functions/audit/app.ts";
import { fileAuditLog } from "../local/audit-log.ts";
import { fileChunkStore, RECORDINGS_FOLDER } from "../local/chunk-store.ts";
import type { AuditAnswer } from "./audit-thread.ts";

/** The thread's side of `workerAuditor`: a chunk at a time, from the state folder's recordings to its audit log. */
const folder = String(workerData);
const auditor = chunkAuditor({
  chunks: fileChunkStore(join(folder, RECORDINGS_FOLDER)),
  log: fileAuditLog(folder),
});

async function derive(key: ChunkKey): Promise<AuditAnswer> {
  try {
    return { derived: await auditor.derive(key) };
  } catch (thrown) {
    const { code, message } = asSallyportError(thrown, "internal", "a chunk could not be derived");
    return { failed: { code, message } };
  }
}

parentPort?.on("message", (key: ChunkKey) => {
  void derive(key).then((answer) => parentPort?.postMessage(answer));
});
