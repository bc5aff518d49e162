import { serialize } from "pg-protocol/dist/serializer.js";
import { afterEach, describe, expect, it } from "vitest";
import { ERRORS } from "../../../core/errors.ts";
import type { PrincipalId } from "../../../core/identity/principal.ts";
import type { SessionId } from "../../../core/ports/session-store.ts";
import { newSessionLimits } from "../../../gateway-task/session-limits.ts";
import type { Recorder } from "../../../gateway-task/recorder/recorder.ts";
import type { SessionRecorder } from "../../../gateway-task/recorder/session-recorder.ts";
import { server } from "../postgres/interpreter-kit.ts";
import { openedEvent, opening } from "../../setup/make-recording.ts";
import { recorderStage, type RecorderStage } from "../../setup/recorder.ts";
import { sessionIdAt } from "../../setup/session-ids.ts";

let stage: RecorderStage;
let recorder: Recorder;
afterEach(async () => {
  await recorder.close(2_000);
  await stage.remove();
});

let count = 0;
const openAs = async (person: string, over: object = {}): Promise<SessionRecorder> => {
  const row = opening(sessionIdAt(Date.now(), ++count), { principalId: person as PrincipalId });
  return recorder.open(openedEvent(row, { startedAt: Date.now(), ...over }));
};
const reasonOf = async (session: SessionId): Promise<string | undefined> =>
  (await stage.options.sessions.get(session))?.closing?.reason;

describe("the sessions of a gateway", () => {
  it("of one person are bounded, and so are all of them; an end makes room again, also a second one of the same", async () => {
    stage = await recorderStage();
    recorder = await stage.start("task-a", { limits: newSessionLimits(2, 3) });
    const [first, second] = [await openAs("ana"), await openAs("ana")];
    await expect(openAs("ana")).rejects.toMatchObject({ code: "too-many-sessions", hint: expect.any(String) });
    await openAs("bob");
    await expect(openAs("carol")).rejects.toMatchObject({ code: "too-many-sessions" });
    recorder.seal(first, "client-closed");
    recorder.seal(first, "client-closed");
    await openAs("carol");
    await expect(openAs("ana")).rejects.toMatchObject({ code: "too-many-sessions" });
    recorder.seal(second, "client-closed");
    await openAs("ana");
    expect(ERRORS["too-many-sessions"].sqlstate).toBe("53300");
  });

  it.each(["input", "output"] as const)(
    "end at the size up to which one is recorded, whole up to there (%s)",
    async (way) => {
      stage = await recorderStage();
      recorder = await stage.start("task-a", { maxSessionBytes: 100_000 });
      const [long, other] = [await openAs("ana"), await openAs("ana")];
      const bytes = Buffer.alloc(10_000, "x");
      let passed = 0;
      const flood = async (): Promise<void> => {
        for (; passed < 100; passed++) await long[way](bytes);
      };
      await expect(flood()).rejects.toMatchObject({ code: "limit-exceeded" });
      expect(passed).toBe(9); // the opening counts too
      recorder.seal(long, "limit-exceeded");
      await other[way](bytes);
      recorder.seal(other, "client-closed");
      await expect.poll(() => reasonOf(long.session), { timeout: 10_000 }).toBe("limit-exceeded");
      const { manifest, ok } = await stage.verify(long.session);
      expect([ok, manifest?.bytesFromClient, manifest?.bytesFromTarget]).toEqual([
        true,
        ...(way === "input" ? [90_000, 0] : [0, 90_000]),
      ]);
    },
  );

  it("that could not be recorded take no room", async () => {
    stage = await recorderStage();
    recorder = await stage.start("task-a", { limits: newSessionLimits(1, 1) });
    const settings = { x: "x".repeat(1 << 20) };
    for (let times = 0; times < 3; times++)
      await expect(openAs("ana", { settings })).rejects.toMatchObject({ code: "limit-exceeded" });
    await openAs("ana");
  });

  it("that hold more memory than all may share end, the heaviest first, are recorded whole, and nobody else notices", async () => {
    stage = await recorderStage();
    recorder = await stage.start("task-a", { maxHeldBytes: 1 << 20 });
    const [greedy, modest] = [await openAs("ana"), await openAs("bob")];
    for (const session of [greedy, modest]) await session.output(server.greeting());
    await modest.input(serialize.query("select 'modest'"));
    const pipelined = Buffer.concat(Array.from({ length: 1_000 }, () => serialize.execute({})));
    const flood = async (): Promise<void> => {
      for (;;) {
        await greedy.input(pipelined);
        await new Promise((done) => setImmediate(done));
      }
    };
    await expect(flood()).rejects.toMatchObject({ code: "limit-exceeded" });
    recorder.seal(greedy, "limit-exceeded");
    await modest.output(Buffer.concat([server.complete("SELECT 1"), server.ready()]));
    recorder.seal(modest, "client-closed");
    await expect.poll(() => reasonOf(greedy.session), { timeout: 10_000 }).toBe("limit-exceeded");
    await expect.poll(() => reasonOf(modest.session), { timeout: 10_000 }).toBe("client-closed");
    for (const { session } of [greedy, modest]) expect(await stage.verify(session)).toMatchObject({ ok: true });
    expect((await stage.options.sessions.get(modest.session))?.closing?.statements).toBe(1);
  });
});
