import type { SessionEvent } from "../../core/recording/events.ts";
import type { SessionRecorder } from "../recorder/session-recorder.ts";
import type { Channel } from "./channels.ts";
import { Decider, type DeciderDeps } from "./decider.ts";
import type { Asked } from "./gate.ts";
import { framedCopy, Lane } from "./lane.ts";
import type { Leg, Renumbered } from "./leg.ts";
import { type Field, MESSAGE, message } from "./messages.ts";
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
  readonly #toTarget: Lane<"target">;
  /** Kinds of channels that the target may open, because policy let the client ask for them. */
  readonly expected = new Set<string>();
  readonly #recorder: SessionRecorder;
  readonly #decider: Decider;
  /** Ends the session with whatever was thrown while it was served. */
  readonly fail: (error: unknown) => void;
  #over = false;

  constructor(
    recorder: SessionRecorder,
    client: Leg<"client">,
    target: Leg<"target">,
    deps: DeciderDeps,
    failed: (error: unknown) => void,
  ) {
    this.#recorder = recorder;
    this.fail = failed;
    this.toClient = new Lane((bytes, kept) => recorder.output(bytes, kept), client, target, failed);
    this.#toTarget = new Lane((bytes, kept) => recorder.input(bytes, kept), target, client, failed);
    this.#decider = new Decider(deps, (event) => recorder.event(event));
  }

  /** Adds an event to the recording. */
  record(event: SessionEvent): void {
    void Promise.resolve(this.#recorder.event(event)).catch(this.fail);
  }

  /** Passes a message to the target that is of no channel; `as` tells the number of one that it opens. */
  pass(bytes: Buffer, as?: Renumbered): void {
    this.#toTarget.pass(bytes, bytes, as);
  }

  /** Passes a message of a channel to the target, as the client names it; `recorded` is what is stored of it. */
  passIn({ target, shown }: Channel, bytes: Buffer, recorded: Buffer = bytes): void {
    const confirms = bytes[0] === MESSAGE.channelOpenConfirmation;
    const as = confirms ? { recipient: target, sender: shown, senderAt: 5 } : { recipient: target };
    this.#toTarget.pass(bytes, recorded, as);
  }

  /** Sends the client a message of ours. */
  say(...parts: Parameters<typeof message>): void {
    this.toClient.pass(message(...parts));
  }

  /** Sends the target a message of ours in a channel: its type, and what follows the recipient. */
  sayIn(channel: Channel, type: number, ...fields: readonly Field[]): void {
    this.passIn(channel, message(type, channel.shown, ...fields));
  }

  /** Resolves when all that was passed to the target so far is on its way. */
  settled(): Promise<void> {
    return this.#toTarget.settled();
  }

  /** Records what the target told us alone, as if it had gone on to the client. */
  heard(told: Buffer): void {
    const framed = framedCopy(told);
    this.toClient.by(() => this.#recorder.heard(framed));
  }

  /** Records what the client asked and the gateway itself does. */
  asked(request: Buffer): void {
    const framed = framedCopy(request);
    this.#toTarget.by(() => this.#recorder.asked(framed));
  }

  /** Records what the target must not see; `recorded` is what is stored of it, where that is something else. */
  withhold(asked: Buffer, recorded: Buffer = asked): void {
    const framed = framedCopy(asked);
    const kept = recorded === asked ? framed : framedCopy(recorded);
    this.#toTarget.by(() => this.#recorder.withheld(framed, NOTHING, kept));
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
    decision.pending.then(decided).catch(this.fail);
  }

  /** Does something later, if the session still lives then. */
  later(milliseconds: number, action: () => void): NodeJS.Timeout {
    return setTimeout(() => this.byItself(action), milliseconds).unref();
  }

  /** Does something that no message of a peer's has led to, if the session still lives: what it throws ends the session. */
  byItself(action: () => void): void {
    try {
      if (!this.#over) action();
    } catch (error) {
      this.fail(error);
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
