import type { CountMask, MaskRule } from "../../../core/masking/masking.ts";

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
