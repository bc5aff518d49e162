import type { Logger } from "pino";
import type { CountMask, MaskRule } from "../core/masking/masking.ts";
import type { SessionRecorder } from "./recorder/session-recorder.ts";

/** How many values each rule has masked: most often the same rule as the time before. */
export class MaskCounts {
  #values = new Map<string, number>();
  #last: MaskRule | undefined;
  #pending = 0;

  readonly count: CountMask = (rule) => {
    if (rule !== this.#last) this.#settle(rule);
    this.#pending++;
  };

  /** By the rule's name, since the last time; undefined if there are none. */
  take(): Record<string, number> | undefined {
    this.#settle(undefined);
    if (this.#values.size === 0) return undefined;
    const taken = Object.fromEntries(this.#values);
    this.#values = new Map();
    return taken;
  }

  #settle(next: MaskRule | undefined): void {
    const { name } = this.#last ?? {};
    if (name !== undefined && this.#pending > 0) this.#values.set(name, (this.#values.get(name) ?? 0) + this.#pending);
    this.#last = next;
    this.#pending = 0;
  }
}

/** Records how many values were masked since that was last told, before the recording ends. */
export function tellMasked(
  recorder: SessionRecorder,
  values: Record<string, number> | undefined,
  logger: Logger,
): void {
  if (values === undefined) return;
  const failed = (error: unknown): void =>
    logger.error({ err: error, session: recorder.session }, "what was masked could not be recorded");
  try {
    void Promise.resolve(recorder.event({ type: "masked", values })).catch(failed);
  } catch (error) {
    failed(error);
  }
}
