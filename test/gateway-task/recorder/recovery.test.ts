import { appendFile, cp, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { SallyportError } from "../../../core/errors.ts";
import type { SessionId } from "../../../core/ports/session-store.ts";
import { readEvents } from "../../../core/recording/reader.ts";
import type { RecorderOptions } from "../../../gateway-task/recorder/recorder.ts";
import { spoolRecovery } from "../../../gateway-task/recorder/recovery.ts";
import { collect } from "../../setup/collect.ts";
import { recorderStage, type RecorderStage } from "../../setup/recorder.ts";

const query = (text: string): Buffer => {
  const message = Buffer.from(`Q____${text}\0`);
  message.writeUInt32BE(message.length - 1, 1);
  return message;
};

/** What a task left behind that died with a live session, a sealed one, and chunks that no store had taken. */
let dead: string;
let left: string[];
let live: SessionId;
let sealed: SessionId;

beforeAll(async () => {
  const stage = await recorderStage((chunks) => ({
    ...chunks,
    put: async () => Promise.reject(new SallyportError("store-unavailable", "not now")),
  }));
  const recorder = await stage.start("task-dead");
  const [one, other] = [await stage.session(recorder), await stage.session(recorder)];
  [live, sealed] = [one.session, other.session];
  await one.input(query("select 'first'"));
  await other.input(query("select 'other'"));
  recorder.seal(other, "client-closed");
  const spooled = async (): Promise<string[]> =>
    (await readdir(stage.options.spool, { recursive: true })).filter((name) => name.endsWith(".chunk"));
  await vi.waitFor(async () => expect(await spooled()).toHaveLength(2), { timeout: 10_000 });
  await one.input(query("select 'second'"));
  await recorder.close(0);
  dead = await mkdtemp(path.join(tmpdir(), "sallyport-dead-"));
  await cp(stage.options.spool, dead, { recursive: true });
  // What came last stands in the log alone.
  await rm(path.join(dead, "task-dead", live, "00000001.chunk"), { force: true });
  left = await readdir(path.join(dead, "task-dead"), { recursive: true });
  await stage.remove();
});
afterAll(() => rm(dead, { recursive: true, force: true }));

let stage: RecorderStage;
beforeEach(async () => {
  stage = await recorderStage();
  await cp(dead, stage.options.spool, { recursive: true });
  return async () => stage.remove();
});

/** As the housekeeping of a living task does it. */
const recover = async (other: Partial<RecorderOptions> = {}): Promise<void> =>
  spoolRecovery({ monotonic: () => performance.now(), ...stage.options, task: "task-b", ...other })();

async function expectAllRecovered(): Promise<void> {
  const reasons = { [live]: "interrupted", [sealed]: "client-closed" };
  for (const session of [live, sealed]) {
    expect(await stage.verify(session)).toMatchObject({ ok: true });
    const row = await stage.options.sessions.get(session);
    expect(row?.closing?.reason).toBe(reasons[session]);
    const events = await collect(readEvents(stage.stored, session, { seal: row?.closing }));
    const texts = events.map(({ event }) => (event.type === "statement" ? event.text : event.type));
    const asked = session === live ? ["select 'first'", "select 'second'"] : ["select 'other'"];
    expect(texts).toEqual(["session-opened", ...asked, "session-closed"]);
  }
}

describe("the recovery of a dead task's spool", () => {
  it("has a log and chunks to begin with", () => {
    expect(left.filter((name) => name.endsWith(".intent"))).toHaveLength(1);
    expect(left.filter((name) => name.endsWith(".chunk"))).toHaveLength(2);
  });

  it("stores and closes every session, and removes the spool", async () => {
    await recover();
    await expectAllRecovered();
    expect(await readdir(stage.options.spool)).toEqual([]);
  });

  it("may fail at any call to any store, and is complete when it is done again", async () => {
    for (let failing = 1, failed = true; failed; failing++) {
      await stage.remove();
      stage = await recorderStage();
      await cp(dead, stage.options.spool, { recursive: true });
      let calls = 0;
      failed = false;
      const call = (): void => {
        if (++calls !== failing) return;
        failed = true;
        throw new SallyportError("store-unavailable", "the task dies here");
      };
      const breaking = <Store extends object>(store: Store): Store =>
        new Proxy(store, {
          get(target, name) {
            const method: unknown = Reflect.get(target, name);
            if (typeof method !== "function") return method;
            if (name === "list")
              return async function* (...args: unknown[]): AsyncGenerator<unknown, void> {
                call();
                yield* method.apply(target, args) as AsyncIterable<unknown>;
              };
            return async (...args: unknown[]): Promise<unknown> => {
              call();
              return method.apply(target, args) as unknown;
            };
          },
        });
      const { chunks, sessions, signer, leases } = stage.options;
      const broken = {
        chunks: breaking(chunks),
        sessions: breaking(sessions),
        leases: breaking(leases),
        signer: { ...signer, sign: async (bytes: Uint8Array) => breaking(signer).sign(bytes) },
      };
      await recover(broken);
      await recover();
      await expectAllRecovered();
      expect(await readdir(stage.options.spool)).toEqual([]);
    }
  });

  it("is not kept from one spool by another that is no spool, or cannot be read", async () => {
    const { spool } = stage.options;
    await writeFile(path.join(spool, "a-file"), "garbage");
    await mkdir(path.join(spool, "a-task", "00000000.intent"), { recursive: true });
    await recover();
    await expectAllRecovered();
    expect((await readdir(spool)).toSorted()).toEqual(["a-file", "a-task"]);
  });

  it("takes no harm from garbage in the spool, and from a log that ends in the middle of a record", async () => {
    const folder = path.join(stage.options.spool, "task-dead");
    await writeFile(path.join(folder, "core"), "garbage");
    await writeFile(path.join(folder, "99999999.intent"), Buffer.alloc(100, 0xff));
    await mkdir(path.join(folder, "not-a-session"));
    await mkdir(path.join(folder, "01000000-0000-7000-8000-00000000000a"));
    await writeFile(path.join(folder, live, "00000001.chunk"), "torn");
    await appendFile(path.join(folder, "00000000.intent"), Buffer.alloc(60, 1));
    await recover();
    await expectAllRecovered();
    expect(await readdir(stage.options.spool)).toEqual([]);
  });

  it("may be done by two tasks at once", async () => {
    const asOwner = (task: string) =>
      recover({ task, leases: { ...stage.options.leases, look: async () => undefined, acquire: async () => true } });
    await Promise.allSettled([asOwner("task-b"), asOwner("task-c")]);
    await recover();
    await expectAllRecovered();
  });
});
