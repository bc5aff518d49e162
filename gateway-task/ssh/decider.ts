import type { Decision } from "../../core/ports/approval-desk.ts";
import type { SessionEvent } from "../../core/recording/events.ts";
import { askConsent, type Asker, type ConsentDeps } from "../consent.ts";
import type { Hold } from "../ruling.ts";
import type { Asked, Gate } from "./gate.ts";
import { type Refusal, refusalOfBlock, refusalOfDecision, refusalOfError, textOfHold } from "./refusal.ts";

export interface DeciderDeps extends ConsentDeps {
  readonly gate: Gate;
  readonly asker: Asker;
}

/** Something that waits for consent. */
interface Pending {
  /** Undefined: it may go on. Never rejects but where nothing can be recorded any more. */
  readonly pending: Promise<Refusal | undefined>;
  /** The client no longer wants it. */
  readonly giveUp: () => void;
}

/** Decides what one session's client asks: at once where policy decides alone, else when people have. All of it is recorded. */
export class Decider {
  readonly #deps: DeciderDeps;
  readonly #record: (event: SessionEvent) => void | Promise<void>;
  readonly #holding = new Set<AbortController>();

  constructor(deps: DeciderDeps, record: (event: SessionEvent) => void | Promise<void>) {
    this.#deps = deps;
    this.#record = record;
  }

  /** Whether there are policies at all. */
  get judges(): boolean {
    return this.#deps.gate.judges;
  }

  /** @param told takes what the client is told while it waits */
  decide(asked: Asked, told: (text: string) => void): "granted" | Refusal | Pending {
    const ruling = this.#deps.gate.judge(asked);
    if (ruling.kind === "pass") return "granted";
    if (ruling.kind === "hold") return this.#hold(ruling, told);
    const { policies, policyVersion, reason } = ruling;
    const refusal = refusalOfBlock(ruling);
    const recorded = this.#record({
      type: "verdict",
      about: "command",
      kind: "block",
      policies: [...policies],
      policyVersion,
      reason,
    });
    return recorded instanceof Promise ? { pending: recorded.then(() => refusal), giveUp: () => {} } : refusal;
  }

  /** The session ends: what is held is cancelled. */
  end(): void {
    for (const holding of this.#holding) holding.abort();
  }

  #hold(hold: Hold, told: (text: string) => void): Pending {
    const holding = new AbortController();
    this.#holding.add(holding);
    const pending = this.#ask(hold, told, holding.signal).finally(() => this.#holding.delete(holding));
    return { pending, giveUp: () => holding.abort() };
  }

  async #ask(hold: Hold, told: (text: string) => void, signal: AbortSignal): Promise<Refusal | undefined> {
    const { gate, asker } = this.#deps;
    let decided: Decision;
    try {
      const witness = {
        record: this.#record,
        told: (waiting: Parameters<typeof textOfHold>[1]) => told(textOfHold(hold, waiting)),
        signal,
      };
      decided = await askConsent(this.#deps, asker, { ...hold, about: "command" }, witness);
    } catch (error) {
      return refusalOfError(error);
    }
    return refusalOfDecision(decided, hold, gate.version);
  }
}
