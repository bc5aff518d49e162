import { access, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { afterEach, beforeEach, expect, test } from "vitest";
import { keepFor } from "../../cli/retention.ts";
import type { Digest } from "../../core/brand.ts";
import type { SessionId } from "../../core/ports/session-store.ts";
import { type LocalState, openLocalState } from "../../local/state.ts";
import { opening } from "../setup/make-recording.ts";
import { run } from "../setup/programs.ts";
import { SALLYPORT } from "../setup/product.ts";
import { sessionIdAt } from "../setup/session-ids.ts";

const DAY = 86_400_000;
const T0 = 1_800_000_000_000;
let directory: string;
let state: LocalState;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "sallyport-retention-"));
  state = await openLocalState(directory);
});
afterEach(async () => {
  state.close();
  await rm(directory, { recursive: true, force: true });
});

/** A session of so many days ago, with something in its folder that nobody may write to. */
async function ended(daysAgo: number): Promise<SessionId> {
  const startedAt = T0 - daysAgo * DAY;
  const row = opening(sessionIdAt(startedAt, daysAgo), { startedAt });
  await state.sessions.open(row);
  const closing = { statements: 0, bytesFromClient: 0, bytesFromTarget: 0, chunks: 1, head: "0".repeat(64) as Digest };
  await state.sessions.close(row.id, { ...closing, reason: "client-closed", endedAt: startedAt + 1_000 });
  const folder = join(directory, "recordings", row.id);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await writeFile(join(folder, "00000000.chunk"), "kept", { mode: 0o400 });
  return row.id;
}

const isThere = (id: SessionId): Promise<boolean> =>
  access(join(directory, "recordings", id)).then(
    () => true,
    () => false,
  );

test("recordings of sessions that ended longer ago than they are kept are removed with their rows; others stay", async () => {
  const [old, kept] = [await ended(31), await ended(29)];
  const log: string[] = [];
  const logger = pino({ base: null }, { write: (line: string) => void log.push(line) });
  const keeping = keepFor({ days: 30, state, clock: () => T0, logger });
  await expect.poll(() => log.join("")).toContain('"removed":1');
  await keeping.close();
  expect([await isThere(old), await state.sessions.get(old)]).toEqual([false, undefined]);
  expect([await isThere(kept), (await state.sessions.get(kept))?.id]).toEqual([true, kept]);
});

test("what cannot be removed is told of, and ends nothing", async () => {
  const old = await ended(31);
  const log: string[] = [];
  const broken = { ...state, removeRecording: () => Promise.reject(new Error("a disk that is read-only")) };
  const logger = pino({ base: null }, { write: (line: string) => void log.push(line) });
  const keeping = keepFor({ days: 30, state: broken, clock: () => T0, logger });
  await expect.poll(() => log.join("")).toContain("could not be removed");
  await keeping.close();
  expect(await state.sessions.get(old)).toBeDefined();
});

test.each(["0", "-1", "1.5", "a year", "100000"])("--retention-days %j is refused", async (days) => {
  const { status, stderr } = await run(process.execPath, [SALLYPORT, "serve", "--retention-days", days], { env: { ...process.env, HOME: directory } }); // prettier-ignore
  expect(status).toBe(2);
  expect(stderr).toContain("--retention-days must be a whole number of days");
});
