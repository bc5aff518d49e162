import { pino } from "pino";
import { describe, expect, it } from "vitest";
import { SallyportError } from "../../core/errors.ts";
import { untilOver } from "../../gateway-task/lifetime.ts";

const logger = pino({ level: "silent" });

function stage(sessions: number) {
  const steps: string[] = [];
  const failed = Promise.withResolvers<SallyportError>();
  const stopped = Promise.withResolvers<void>();
  const gateway = {
    liveSessions: sessions,
    failed: failed.promise,
    drain: () => void steps.push("drain"),
    close: async () => void steps.push(`close with ${gateway.liveSessions}`),
  };
  const draining = (): void => void steps.push("unhealthy");
  const over = (drainMs: number) =>
    untilOver({ gateway, stopped: stopped.promise, draining, drainMs, closeMs: 1_000, logger });
  return { steps, gateway, over, stop: stopped.resolve, fail: failed.resolve };
}

describe("a task that is told to stop", () => {
  it("is unhealthy and takes nobody at once, and closes when the last session has ended", async () => {
    const { steps, gateway, over, stop } = stage(1);
    const done = over(600_000);
    stop();
    await expect.poll(() => steps).toEqual(["unhealthy", "drain"]);
    gateway.liveSessions = 0;
    expect(await done).toBeUndefined();
    expect(steps).toEqual(["unhealthy", "drain", "close with 0"]);
  });

  it("ends sessions that still live at its deadline", async () => {
    const { steps, over, stop } = stage(2);
    stop();
    expect(await over(150)).toBeUndefined();
    expect(steps).toEqual(["unhealthy", "drain", "close with 2"]);
  });
});

describe("a task that can record no more", () => {
  const error = new SallyportError("recording-failed", "the disk is gone");

  it("closes at once, and answers why", async () => {
    const { steps, over, fail } = stage(2);
    fail(error);
    expect(await over(600_000)).toBe(error);
    expect(steps).toEqual(["unhealthy", "drain", "close with 2"]);
  });

  it("does so also when it is draining already", async () => {
    const { steps, over, stop, fail } = stage(2);
    const done = over(600_000);
    stop();
    await expect.poll(() => steps).toEqual(["unhealthy", "drain"]);
    fail(error);
    expect(await done).toBe(error);
  });
});
