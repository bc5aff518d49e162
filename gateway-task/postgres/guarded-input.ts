import { SallyportError } from "../../core/errors.ts";
import type { SessionEvent } from "../../core/recording/events.ts";
import { askConsent, type Asker, type ConsentDeps } from "../consent.ts";
import { countedTags, MessageFramer, RULE, rulesOf, type Rules } from "./framer.ts";
import { Gate, type GateOptions } from "./gate.ts";
import { FRONTEND } from "./messages.ts";
import { redactMessage } from "./redact.ts";
import { type Refusal, Refusals } from "./refusal.ts";
import { noticeOfHold, refusalOfBlock, refusalOfDecision, refusalOfError } from "./refusal-texts.ts";
import type { Hold, Ruling } from "../ruling.ts";

/** What a client may send behind a message that waits: enough to notice that it is gone; more of it has to wait, too. */
const MAX_BACKLOG = 64 << 10;

const RULES: Rules = rulesOf({
  ...FRONTEND,
  C: { name: "Close", whole: true },
  F: { name: "FunctionCall", whole: true },
});
/** While a statement is prepared that is not simply allowed, what runs it is seen, too. */
const RULES_ATTENTIVE: Rules = RULES.slice();
RULES_ATTENTIVE["B".charCodeAt(0)] = RULE.whole;
const HAS_TEXT = countedTags("QP");
const IS_EXTENDED = countedTags("PB");

/** What makes a session guarded. */
export interface GuardDeps extends ConsentDeps, Omit<GateOptions, "who" | "readable"> {}

/** What a guarded input needs of its session. */
export interface GuardedSession {
  /** Records and sends; as a channel's consumer answers. Nothing for no bytes. */
  forward(bytes: Buffer, recorded: Buffer): boolean | Promise<void>;
  /** Records what was asked, and sends what is to fail in its place. */
  withhold(asked: Buffer, substitute: Buffer, recorded: Buffer): boolean | Promise<void>;
  /** The message as it is to be recorded. */
  redact(message: Buffer): Buffer;
  /** The same of values that are masked alone. */
  mask(message: Buffer): Buffer;
  /** The message as its approvers may read it. */
  shown(message: Buffer): Buffer;
  /** Whether any are, so that what is bound has to be seen. */
  readonly masks: boolean;
  record(event: SessionEvent): void | Promise<void>;
  /** Sends the client a message of ours, when the target's next message ends. */
  tell(notice: Buffer): void;
  inTransaction(): boolean;
  fail(error: unknown): void;
}

/**
 * The way of a guarded session's bytes to its target. What is allowed streams as in any session; behind a message that is
 * refused, held, or still to be read everything waits.
 */
export class GuardedInput {
  readonly framer: MessageFramer;
  readonly #deps: GuardDeps;
  readonly #asker: Asker;
  readonly #session: GuardedSession;
  readonly #gate: Gate;
  readonly #refusals = new Refusals();
  /** Of the message that the framer stopped at. */
  #ruling: Ruling | Promise<Ruling> = { kind: "pass" };
  /** Resolves when nothing waits any more. Never rejects. */
  #work: Promise<void> | undefined;
  #backlog: Buffer[] = [];
  #backlogBytes = 0;
  /** Of what is held. */
  #holding: AbortController | undefined;
  #ended = false;
  #errors = 0;
  /** What was last refused in the extended protocol: in which cycle, and why. */
  #refused: { readonly asked: number; readonly refusal: Refusal } | undefined;

  /** @param maxWhole bytes up to which a message is held in memory */
  constructor(deps: GuardDeps, asker: Asker, counted: Uint8Array, maxWhole: number, session: GuardedSession) {
    this.#deps = deps;
    this.#asker = asker;
    this.#session = session;
    const { requester: principal, connection: name, environment } = asker;
    const readable = (message: Buffer): Buffer => session.shown(message);
    this.#gate = new Gate({ ...deps, who: { principal, connection: { name, environment } }, readable });
    this.framer = new MessageFramer(session.masks ? RULES_ATTENTIVE : RULES, counted, maxWhole, (message) =>
      this.#inspect(message),
    );
  }

  /** As a channel's consumer. */
  consume(bytes: Buffer): boolean | Promise<void> {
    if (this.#work !== undefined) return this.#keep(bytes);
    const { framer } = this;
    this.#gate.refresh();
    framer.rules = this.#rules();
    framer.push(bytes);
    const sent = this.#session.forward(framer.forward, framer.recorded);
    if (framer.halted === undefined) return sent;
    this.#work = this.#goOn(sent);
    return false;
  }

  /** An ErrorResponse of the target as the client is to see it, where that is another one. */
  answered(error: Buffer): Buffer | undefined {
    this.#errors++;
    return this.#refusals.rewrite(error);
  }

  /** @param readies ReadyForQuery messages that the target has sent so far */
  settle(readies: number): void {
    this.#gate.settle(readies, this.#errors);
  }

  /** A cancel request of the client's. Answers whether there was something held, which now fails. */
  cancel(): boolean {
    if (this.#holding === undefined) return false;
    this.#holding.abort();
    return true;
  }

  /** The session ends: what waits is dropped, and a request that is open is cancelled. */
  end(): void {
    this.#ended = true;
    this.#backlog = [];
    this.#holding?.abort();
  }

  #rules(): Rules {
    return this.#gate.attentive || this.#session.masks ? RULES_ATTENTIVE : RULES;
  }

  #keep(bytes: Buffer): boolean | Promise<void> {
    this.#backlog.push(Buffer.from(bytes));
    this.#backlogBytes += bytes.length;
    return this.#backlogBytes <= MAX_BACKLOG || this.#work === undefined ? true : this.#work;
  }

  #inspect(message: Buffer): Buffer | undefined {
    const ruling = this.#judge(message);
    this.framer.rules = this.#rules();
    if (!(ruling instanceof Promise) && ruling.kind === "pass") return this.#recorded(message);
    if (ruling instanceof Promise) ruling.catch(() => {}); // it is heard when what came before has been sent
    this.#ruling = ruling;
    return undefined;
  }

  #judge(message: Buffer): Ruling | Promise<Ruling> {
    try {
      return this.#gate.judge(message, { asked: this.framer.count, errors: this.#errors });
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #recorded(message: Buffer): Buffer {
    return HAS_TEXT[message[0] as number] === 1 ? this.#session.redact(message) : this.#session.mask(message);
  }

  /** Deals with the message that the framer stopped at, and with what came behind it, up to where nothing waits. */
  async #goOn(sent: boolean | Promise<void>): Promise<void> {
    const { framer } = this;
    try {
      await sent;
      while (framer.halted !== undefined && !this.#ended) {
        const { message, rest } = framer.halted;
        await this.#decide(message);
        framer.pass();
        for (let next: Buffer | undefined = rest; next !== undefined && !this.#ended; next = this.#backlog.shift()) {
          framer.rules = this.#rules();
          framer.push(next);
          await this.#session.forward(framer.forward, framer.recorded);
          if (framer.halted !== undefined) break;
        }
      }
    } catch (error) {
      this.#session.fail(error);
    }
    this.#backlogBytes = 0;
    this.#work = undefined;
  }

  async #decide(message: Buffer): Promise<void> {
    let ruling: Ruling;
    try {
      ruling = await this.#ruling;
    } catch (error) {
      const why = error instanceof SallyportError ? error.message : "it could not be judged";
      return this.#refuse(message, refusalOfError(new SallyportError("access-denied", why)));
    }
    if (this.#ended) return;
    this.framer.rules = this.#rules();
    // What follows a refusal is skipped up to the next Sync (§54.2.3): nobody is asked for what will not run.
    const skipped = this.#refused?.asked === this.framer.count && IS_EXTENDED[message[0] as number] === 1;
    if (ruling.kind === "pass") await this.#session.forward(message, this.#recorded(message));
    else if (this.#refused && skipped) await this.#refuse(message, this.#refused.refusal);
    else if (ruling.kind === "hold") await this.#hold(message, ruling);
    else {
      const { policies, policyVersion, reason } = ruling;
      await this.#session.record({
        type: "verdict",
        about: "statement",
        kind: "block",
        policies: [...policies],
        policyVersion,
        reason,
      });
      await this.#refuse(message, refusalOfBlock(ruling));
    }
  }

  async #hold(message: Buffer, hold: Hold): Promise<void> {
    const holding = new AbortController();
    this.#holding = holding;
    try {
      const decided = await askConsent(
        this.#deps,
        this.#asker,
        { ...hold, about: "statement" },
        {
          record: (event) => this.#session.record(event),
          told: (waiting) => this.#session.tell(noticeOfHold(hold, waiting, this.#session.inTransaction())),
          signal: holding.signal,
        },
      );
      if (this.#ended) return;
      this.#gate.refresh();
      const refusal = refusalOfDecision(decided, hold, this.#gate.version);
      if (refusal === undefined) await this.#session.forward(message, this.#recorded(message));
      else await this.#refuse(message, refusal);
    } catch (error) {
      if (this.#ended) return;
      await this.#refuse(message, refusalOfError(error));
    } finally {
      this.#holding = undefined;
    }
  }

  async #refuse(message: Buffer, refusal: Refusal): Promise<void> {
    if (this.#ended) return;
    if (IS_EXTENDED[message[0] as number] === 1) this.#refused = { asked: this.framer.count, refusal };
    const recorded = HAS_TEXT[message[0] as number] === 1 ? redactMessage(message) : message;
    const masked = this.#session.mask(recorded);
    await this.#session.withhold(message, this.#refusals.substitute(message, refusal), masked);
  }
}
