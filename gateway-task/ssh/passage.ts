import type { SessionEvent } from "../../core/recording/events.ts";
import type { Side } from "../recorder/permit.ts";
import type { SessionRecorder } from "../recorder/session-recorder.ts";
import { Decider, type DeciderDeps } from "./decider.ts";
import type { Asked } from "./gate.ts";
import { framedCopy, Lane } from "./lane.ts";
import type { Leg } from "./leg.ts";
import { message } from "./messages.ts";
import type { Refusal } from "./refusal.ts";

const NOTHING = Buffer.alloc(0);

/** Something that a client asks and policy decides on, and what is done in either case. */
export interface Question {
  readonly asked: Asked;
  /** Takes what the person is told while it waits. */
  readonly tell: (text: string) => void;
  readonly go: () => void;
  readonly refuse: (refusal: Refusal) => void;
  /** It has to wait; calling `giveUp` refuses it. */
  readonly waits: (giveUp: () => void) => void;
  /** It has waited, and one of the two has been done. */
  readonly waited: () => void;
}

/** Both directions of a session: what is passed, withheld or said by ours, each recorded before it is sent; and what decides. */
export class Passage {
  readonly toClient: Lane<"client">;
  readonly toTarget: Lane<"target">;
  /** Kinds of channels that the target may open, because policy let the client ask for them. */
  readonly expected = new Set<string>();
  readonly #recorder: SessionRecorder;
  readonly #decider: Decider;
  readonly #failed: (error: unknown) => void;
  #over = false;

  constructor(
    recorder: SessionRecorder,
    client: Leg<"client">,
    target: Leg<"target">,
    deps: DeciderDeps,
    failed: (error: unknown) => void,
  ) {
    this.#recorder = recorder;
    this.#failed = failed;
    this.toClient = new Lane((bytes, kept) => recorder.output(bytes, kept), client, target, failed);
    this.toTarget = new Lane((bytes, kept) => recorder.input(bytes, kept), target, client, failed);
    this.#decider = new Decider(deps, (event) => recorder.event(event));
  }

  /** Adds an event to the recording. */
  record(event: SessionEvent): void {
    void Promise.resolve(this.#recorder.event(event)).catch(this.#failed);
  }

  /** Sends a side a message of ours. */
  say(to: Side, ...parts: Parameters<typeof message>): void {
    const lane = to === "client" ? this.toClient : this.toTarget;
    lane.pass(message(...parts));
  }

  /** Records what the target must not see; `recorded` is what is stored of it, where that is something else. */
  withhold(asked: Buffer, recorded: Buffer = asked): void {
    const framed = framedCopy(asked);
    const kept = recorded === asked ? framed : framedCopy(recorded);
    this.toTarget.by(() => this.#recorder.withheld(framed, NOTHING, kept));
  }

  decide({ asked, tell, go, refuse, waits, waited }: Question): void {
    const decision = this.#decider.decide(asked, tell);
    if (decision === "granted") return go();
    if (!("pending" in decision)) return refuse(decision);
    waits(decision.giveUp);
    const decided = (refusal: Refusal | undefined): void => {
      if (this.#over) return;
      if (refusal === undefined) go();
      else refuse(refusal);
      waited();
    };
    decision.pending.then(decided).catch(this.#failed);
  }

  /** Does something that time has brought, unless the session has ended; what it throws ends the session. */
  guarded(does: () => void): void {
    if (this.#over) return;
    try {
      does();
    } catch (error) {
      this.#failed(error);
    }
  }

  /** Whether there are policies at all. */
  get judges(): boolean {
    return this.#decider.judges;
  }

  /** The session ends: what waits is cancelled, and nothing is done any more. */
  end(): void {
    this.#over = true;
    this.#decider.end();
  }
}
