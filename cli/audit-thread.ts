import { Worker } from "node:worker_threads";
import { type ErrorCode, SallyportError } from "../core/errors.ts";
import type { ChunkAuditor } from "../functions/audit/app.ts";

type Derived = Awaited<ReturnType<ChunkAuditor["derive"]>>;

/** What the thread answers to a key. */
export type AuditAnswer =
  { readonly derived: Derived } | { readonly failed: { readonly code: ErrorCode; readonly message: string } };

interface Asked {
  readonly worker: Worker;
  readonly done: PromiseWithResolvers<Derived>;
}

/**
 * Derives chunks in a thread of its own, so that the data path has its thread to itself. Started at the first chunk; one that dies is
 * started again at the next. One question at a time.
 * @param folder of the state
 */
export function workerAuditor(folder: string): ChunkAuditor & { close(): Promise<void> } {
  let worker: Worker | undefined;
  let asked: Asked | undefined;
  const take = (by: Worker): PromiseWithResolvers<Derived> | undefined => {
    if (asked?.worker !== by) return undefined;
    const { done } = asked;
    asked = undefined;
    return done;
  };
  const start = (): Worker => {
    const started = new Worker(new URL("audit-worker.ts", import.meta.url), { workerData: folder });
    const died = (cause?: unknown): void => {
      if (worker === started) worker = undefined;
      take(started)?.reject(new SallyportError("store-unavailable", "the audit log's thread has ended", { cause }));
    };
    started.on("message", (answer: AuditAnswer) => {
      const done = take(started);
      if ("derived" in answer) return done?.resolve(answer.derived);
      return done?.reject(new SallyportError(answer.failed.code, answer.failed.message));
    });
    started.on("error", died);
    started.on("exit", () => died());
    started.unref();
    return started;
  };
  return {
    derive: (key) => {
      if (asked !== undefined) throw new SallyportError("internal", "one chunk is derived at a time");
      worker ??= start();
      asked = { worker, done: Promise.withResolvers() };
      worker.postMessage(key);
      return asked.done.promise;
    },
    close: async () => {
      await worker?.terminate();
    },
  };
}
