import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { auditObjects, ndjson } from "../core/audit/batch.ts";
import { asSallyportError } from "../core/errors.ts";
import type { AuditLog } from "../core/ports/audit-log.ts";
import { makeFolder, syncFolder, writeOnce } from "./files.ts";

const FOLDER_MODE = 0o700;
/** Events are written once: not even their owner opens them for writing by mistake. */
const FILE_MODE = 0o400;

const compressed = promisify(gzip);

/**
 * Audit events as files: `directory/audit/date=YYYY-MM-DD/<batch>.ndjson.gz`, as they lie in S3. Each appears whole, and is on disk when
 * `append` returns.
 * @param directory made if need be
 */
export function fileAuditLog(directory: string): AuditLog {
  return {
    append: async (batch) => {
      const objects = auditObjects(batch);
      try {
        for (const { key, events } of objects) {
          const path = join(directory, key);
          await makeFolder(dirname(path), FOLDER_MODE);
          await writeOnce(path, await compressed(ndjson(events)), FILE_MODE);
          // Also where the name was there: whoever made it may have died before this.
          await syncFolder(dirname(path));
        }
      } catch (thrown) {
        throw asSallyportError(thrown, "store-unavailable", "the audit log could not be written");
      }
    },
  };
}
