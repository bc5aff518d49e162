import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { workerAuditor } from "../../cli/audit-thread.ts";
import { fileChunkStore, RECORDINGS_FOLDER } from "../../local/chunk-store.ts";
import { auditFiles } from "../setup/audit-files.ts";
import { event, openedEvent, opening, statement, storeRecording } from "../setup/make-recording.ts";
import { sessionIdAt } from "../setup/session-ids.ts";

const ROW = opening(sessionIdAt(1_800_000_000_000));
const BROKEN = sessionIdAt(1_800_000_000_001);
let folder: string;
let auditor: ReturnType<typeof workerAuditor>;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "sallyport-audit-thread-"));
  const store = fileChunkStore(join(folder, RECORDINGS_FOLDER));
  await storeRecording(store, ROW, [[event(openedEvent(ROW))], [event(statement())]]);
  const other = opening(BROKEN);
  await storeRecording(store, other, [[event(openedEvent(other))]]);
  await rm(join(folder, RECORDINGS_FOLDER, BROKEN, "00000000.chunk"), { force: true });
  await writeFile(join(folder, RECORDINGS_FOLDER, BROKEN, "00000000.chunk"), "broken");
  auditor = workerAuditor(folder);
});
afterAll(async () => {
  await auditor.close();
  await rm(folder, { recursive: true });
});

test("the thread writes a chunk's events, and fails by the codes that the follower knows", async () => {
  expect(await auditor.derive({ session: ROW.id, sequence: 1 })).toEqual({ events: 1, closed: false });
  expect((await auditor.derive({ session: ROW.id, sequence: 0 })).events).toBe(1);
  await expect(auditor.derive({ session: ROW.id, sequence: 2 })).rejects.toMatchObject({ code: "not-found" });
  await expect(auditor.derive({ session: BROKEN, sequence: 0 })).rejects.toMatchObject({ code: "recording-corrupt" });
  const events = await auditFiles(join(folder, "audit"));
  expect(events.map(({ metadata }) => metadata.event_code).toSorted()).toEqual(["session-opened", "statement"]);
});

test("a thread that ends in the middle is told of as an outage, and the next chunk has another", async () => {
  const deriving = auditor.derive({ session: ROW.id, sequence: 1 });
  const refused = expect(deriving).rejects.toMatchObject({ code: "store-unavailable" });
  await auditor.close();
  await refused;
  expect(await auditor.derive({ session: ROW.id, sequence: 1 })).toEqual({ events: 1, closed: false });
});
