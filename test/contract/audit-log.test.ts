import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { fileAuditLog } from "../../local/audit-log.ts";
import { auditEvent, auditLogContract } from "./audit-log.ts";

const made: string[] = [];
const directory = async (): Promise<string> => {
  const path = await mkdtemp(join(tmpdir(), "sallyport-audit-"));
  made.push(path);
  return path;
};
afterAll(async () => {
  for (const path of made) await rm(path, { recursive: true });
});

async function filesBelow(path: string): Promise<Map<string, Uint8Array>> {
  const names = await readdir(path, { recursive: true, withFileTypes: true });
  const files = names.filter((each) => each.isFile()).map((each) => join(each.parentPath, each.name));
  return new Map(
    await Promise.all(files.map(async (file) => [file.slice(path.length + 1), await readFile(file)] as const)),
  );
}

auditLogContract("files", async () => {
  const path = await directory();
  return { log: fileAuditLog(path), objects: () => filesBelow(path) };
});

describe("the audit log of files", () => {
  test("lets nobody but its owner in, nobody write, and leaves nothing but its objects", async () => {
    const path = join(await directory(), "not", "yet");
    await fileAuditLog(path).append({ id: "a", events: [auditEvent("a")] });
    const [name] = [...(await filesBelow(path)).keys()];
    expect(name).toBe("audit/date=2026-11-29/a.ndjson.gz");
    expect((await stat(join(path, name ?? ""))).mode & 0o777).toBe(0o400);
    for (const folder of [path, join(path, "audit"), join(path, "audit", "date=2026-11-29")])
      expect((await stat(folder)).mode & 0o777).toBe(0o700);
  });

  test("answers store-unavailable where it cannot write", async () => {
    const path = join(await directory(), "file");
    await writeFile(path, "");
    const log = fileAuditLog(path);
    await expect(log.append({ id: "a", events: [auditEvent("a")] })).rejects.toMatchObject({
      code: "store-unavailable",
    });
  });
});
