import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import type { OcsfEvent } from "../../core/audit/ocsf.ts";

/** Every event below a folder, line by line, in the order of their times: what a program that knows nothing of ours reads. */
export async function auditFiles(folder: string): Promise<OcsfEvent[]> {
  const names = await readdir(folder, { recursive: true });
  const events: OcsfEvent[] = [];
  for (const name of names.filter((each) => each.endsWith(".ndjson.gz"))) {
    const lines = gunzipSync(await readFile(join(folder, name)))
      .toString("utf8")
      .trimEnd()
      .split("\n");
    events.push(...lines.map((line) => JSON.parse(line) as OcsfEvent));
  }
  return events.toSorted((a, b) => a.time - b.time);
}
