import { asSallyportError, SallyportError } from "../../core/errors.ts";
import { overwritePasses } from "../../core/identity/pass.ts";
import { UNGUARDED } from "../../core/policy/unguarded.ts";
import type { CloseReason } from "../../core/ports/session-store.ts";
import type { SessionEvent } from "../../core/recording/events.ts";
import type { Channel } from "../channel.ts";
import type { Permit, Side } from "../recorder/permit.ts";
import type { SessionRecorder } from "../recorder/session-recorder.ts";
import { farewell } from "./answers.ts";
import type { Asker } from "../consent.ts";
import { countedTags, MessageFramer, type Replacement, RULE, rulesOf, type Rules } from "./framer.ts";
import { type GuardDeps, GuardedInput, type GuardedSession } from "./guarded-input.ts";
import { BACKEND, FRONTEND } from "./messages.ts";
import type { StatementRecord } from "./masking/statement-record.ts";
import { redactErrorReply, redactMessage } from "./redact.ts";

/** A statement is held in memory until it is whole; PostgreSQL itself would take 1 GiB. */
const MAX_STATEMENT_BYTES = 32 << 20;
/** A target that sends longer errors is not PostgreSQL. */
const MAX_ERROR_BYTES = 1 << 20;

const FRONTEND_RULES = rulesOf(FRONTEND);
/** What is bound is masked in the record. */
const FRONTEND_RULES_MASKED: Rules = FRONTEND_RULES.slice();
FRONTEND_RULES_MASKED["B".charCodeAt(0)] = RULE.whole;
const BACKEND_RULES = rulesOf(BACKEND);
/** The target repeats some settings whenever they are SET, and with them a pass that stands in the wrong place. */
const PARAMETER_STATUS = "S".charCodeAt(0);
BACKEND_RULES[PARAMETER_STATUS] = RULE.whole;
/** While a statement with secrets runs, errors are held until they are whole: the server may quote the statement. */
const BACKEND_RULES_REDACTING: Rules = BACKEND_RULES.slice();
BACKEND_RULES_REDACTING["E".charCodeAt(0)] = RULE.whole;
BACKEND_RULES_REDACTING["N".charCodeAt(0)] = RULE.whole;
/** Of a guarded session, any error may be one that answers what was refused. */
const BACKEND_RULES_GUARDED: Rules = BACKEND_RULES.slice();
BACKEND_RULES_GUARDED["E".charCodeAt(0)] = RULE.whole;

/** Messages that ReadyForQuery answers. */
const ASKING = countedTags("QSF");
const READY = countedTags("Z");
const READY_FOR_QUERY = "Z".charCodeAt(0);
const IDLE = "I".charCodeAt(0);
const BIND = "B".charCodeAt(0);
const TERMINATE = "X".charCodeAt(0);
const ERROR_RESPONSE = "E".charCodeAt(0);

/** What judges a session's statements, and for whom. */
interface Guard {
  readonly deps: GuardDeps;
  readonly asker: Asker;
  /** Whether there were policies when it was opened. Where they come later, a session without them ends. */
  readonly guarded: boolean;
}

/**
 * The life of a session after its log-in: every chunk of either direction is framed, recorded, and only then, with the
 * recorder's permit, passed on. It ends once, on one path, and says why.
 */
export class Relay {
  readonly #recorder: SessionRecorder;
  readonly #client: Channel<"client">;
  readonly #target: Channel<"target">;
  readonly #fromClient: MessageFramer;
  readonly #fromTarget: MessageFramer;
  readonly #ended: (reason: CloseReason, error: SallyportError | undefined) => void;
  readonly #guard: Guard | undefined;
  readonly #statements: StatementRecord | undefined;
  readonly #guarded: GuardedInput | undefined;
  readonly #usualRules: Rules;
  /** What the last ReadyForQuery said of the transaction. */
  #status = IDLE;
  /** Messages of ours that the client is to get when the target's next message ends; and whether some are on their way. */
  #notices: Buffer[] = [];
  #telling: Promise<void> | undefined;
  #showing = false;
  /** Follows what is recorded, where that is not what the client sees. */
  #masked: MessageFramer | undefined;
  /** Errors of the last bytes shown that became ours. */
  #refused: { readonly theirs: Buffer; readonly ours: Buffer }[] = [];
  #hideUntil = 0;
  /** The last error that the target sent says that it closes (§54.8, field V). */
  #fatal = false;
  #closing = false;
  #terminated = false;
  /** What the client has been sent ends with a whole message. */
  #shownWhole = true;

  /**
   * @param ended called once, when both sides are closed or closing
   * @param guard what judges each statement, where there are policies
   * @param statements what masks the record of what is asked, where anything is masked
   */
  constructor(
    recorder: SessionRecorder,
    client: Channel<"client">,
    target: Channel<"target">,
    ended: (reason: CloseReason, error: SallyportError | undefined) => void,
    guard?: Guard,
    statements?: StatementRecord,
  ) {
    this.#guard = guard;
    this.#statements = statements;
    this.#recorder = recorder;
    this.#client = client;
    this.#target = target;
    this.#ended = ended;
    this.#guarded = guard?.guarded
      ? new GuardedInput(guard.deps, guard.asker, ASKING, MAX_STATEMENT_BYTES, this.#session())
      : undefined;
    this.#fromClient =
      this.#guarded?.framer ??
      new MessageFramer(
        statements === undefined ? FRONTEND_RULES : FRONTEND_RULES_MASKED,
        ASKING,
        MAX_STATEMENT_BYTES,
        (message) => this.#hide(message),
      );
    this.#usualRules = this.#guarded ? BACKEND_RULES_GUARDED : BACKEND_RULES;
    this.#fromTarget = new MessageFramer(this.#usualRules, READY, MAX_ERROR_BYTES, (message) => this.#answer(message));
  }

  #session(): GuardedSession {
    return {
      forward: (bytes, recorded) => this.#pass(bytes, recorded),
      withhold: (asked, substitute, recorded) => {
        if (this.#closing) return true;
        return this.#send(this.#recorder.withheld(asked, substitute, recorded));
      },
      redact: (message) => this.#hide(message),
      mask: (message) => this.#statements?.masked(message) ?? message,
      shown: (message) => this.#statements?.shown(message) ?? message,
      masks: this.#statements !== undefined,
      record: (event) => this.#recorder.event(event),
      tell: (notice) => {
        this.#notices.push(notice);
        this.#tell();
      },
      // The first ReadyForQuery answered the log-in; what is not answered yet may have begun one.
      inTransaction: () => this.#status !== IDLE || this.#fromTarget.count <= this.#fromClient.count,
      fail: (error) => this.fail(error),
    };
  }

  /** Sends the client what it gets at its log-in, and starts to relay. */
  async start(greeting: Buffer, recorded: Buffer): Promise<void> {
    this.#fromTarget.push(greeting);
    const permit = await this.#recorder.output(greeting, recorded);
    if (this.#closing) return;
    void this.#client.send(permit);
    const failed = (error: unknown): void => this.fail(error);
    this.#client.start({
      consumer: (bytes) => this.#ask(bytes),
      failed,
      ended: () => this.#clientEnded(),
    });
    this.#target.start({
      consumer: (bytes, masked) => this.#show(bytes, masked),
      failed,
      ended: () => this.#targetEnded(),
    });
  }

  /** Ends the session for a reason that lies outside it; the client is told. */
  end(reason: CloseReason, error: SallyportError): void {
    this.#close(reason, error);
  }

  /** A cancel request of its client's: answers whether it was for something that is held here. */
  cancel(): boolean {
    return this.#guarded?.cancel() ?? false;
  }

  /** Adds an event to the recording; a session that cannot be recorded ends. */
  record(event: SessionEvent): void {
    if (this.#closing) return;
    try {
      void Promise.resolve(this.#recorder.event(event)).catch((error: unknown) => this.fail(error));
    } catch (error) {
      this.fail(error);
    }
  }

  /** Ends the session with whatever was thrown while it was served. */
  fail(thrown: unknown): void {
    const error = asSallyportError(thrown, "internal", "the gateway failed");
    this.#close(REASONS[error.code] ?? "recording-failed", error);
  }

  /** Client → target. */
  #ask(bytes: Buffer): boolean | Promise<void> {
    if (this.#closing) return true;
    if (this.#guarded !== undefined) return this.#guarded.consume(bytes);
    if (this.#guard !== undefined && isGuarded(this.#guard.deps)) throw laterGuarded();
    const framer = this.#fromClient;
    framer.push(bytes);
    return this.#pass(framer.forward, framer.recorded);
  }

  #pass(forward: Buffer, recorded: Buffer): boolean | Promise<void> {
    if (forward.length === 0 || this.#closing) return true;
    const framer = this.#fromClient;
    this.#terminated = framer.lastTag === TERMINATE && framer.atBoundary;
    return this.#send(this.#recorder.input(forward, recorded));
  }

  #send(permit: Permit<"target"> | Promise<Permit<"target">>): boolean | Promise<void> {
    if (permit instanceof Promise) return this.#sendLater(permit, this.#target);
    return this.#target.send(permit) ?? this.#target.isIdle;
  }

  /** Target → client. */
  #show(bytes: Buffer, masked = bytes): boolean | Promise<void> {
    if (this.#closing) return true;
    const framer = this.#fromTarget;
    if (framer.rules === BACKEND_RULES_REDACTING && framer.count >= this.#hideUntil) framer.rules = this.#usualRules;
    if (this.#refused.length > 0) this.#refused = [];
    framer.push(bytes);
    const { forward } = framer;
    const recorded = masked === bytes ? framer.recorded : this.#kept(masked);
    this.#guarded?.settle(framer.count);
    if (forward.length === 0) return true;
    if (framer.lastTag === READY_FOR_QUERY && framer.atBoundary) this.#status = forward.at(-1) ?? IDLE;
    const permit = this.#recorder.output(forward, recorded);
    if (framer.lastTag === ERROR_RESPONSE) this.#fatal = forward.includes("VFATAL") || forward.includes("VPANIC");
    if (permit instanceof Promise || this.#telling !== undefined) return this.#showLater(permit);
    this.#shownWhole = framer.atBoundary;
    const sent = this.#client.send(permit) ?? this.#client.isIdle;
    if (this.#notices.length > 0) this.#tell();
    return sent;
  }

  /** What is to be recorded in place of what the client sees: message by message the same, but for what is masked. */
  #kept(masked: Buffer): Buffer {
    const framer = (this.#masked ??= new MessageFramer(this.#usualRules, READY, MAX_ERROR_BYTES, (message) =>
      this.#answerKept(message),
    ));
    framer.rules = this.#fromTarget.rules;
    framer.push(masked);
    return framer.recorded;
  }

  async #showLater(permit: Permit<"client"> | Promise<Permit<"client">>): Promise<void> {
    this.#showing = true;
    if (permit instanceof Promise) permit.catch(() => {}); // heard below: it may reject while something is told
    await this.#telling;
    await this.#sendLater(permit, this.#client);
    this.#showing = false;
    this.#tell();
  }

  /** Sends the client what waits for it, if it can stand there: behind a whole message, and in the order of the record. */
  #tell(): void {
    if (this.#closing || this.#showing || this.#telling || !this.#fromTarget.atBoundary || this.#notices.length === 0)
      return;
    const told = this.#recorder.output(Buffer.concat(this.#notices));
    this.#notices = [];
    if (!(told instanceof Promise)) return void this.#client.send(told);
    const sent = (): void => {
      this.#telling = undefined;
    };
    this.#telling = this.#sendLater(told, this.#client).then(sent, (error: unknown) => this.fail(error));
  }

  async #sendLater<To extends Side>(permit: Permit<To> | Promise<Permit<To>>, channel: Channel<To>): Promise<void> {
    const granted = await permit;
    if (this.#closing) return;
    if (channel === this.#client) this.#shownWhole = this.#fromTarget.atBoundary; // nothing is read until this is sent
    await channel.send(granted);
  }

  /** A statement with secrets: errors, too, are recorded without their text, until the ReadyForQuery that ends its cycle. */
  #hide(message: Buffer): Buffer {
    const recorded = message[0] === BIND ? message : redactMessage(message);
    if (recorded !== message) {
      this.#hideUntil = this.#fromClient.count + 2; // the first ReadyForQuery answered the log-in
      this.#fromTarget.rules = BACKEND_RULES_REDACTING;
    }
    return this.#statements?.masked(recorded) ?? recorded;
  }

  /** What is recorded of a setting, an error or a notice. */
  #withoutSecrets(message: Buffer): Buffer {
    if (message[0] === PARAMETER_STATUS) return overwritePasses(message);
    return this.#fromTarget.rules === BACKEND_RULES_REDACTING ? redactErrorReply(message) : message;
  }

  /** A setting, and an error or notice where one is looked at. */
  #answer(message: Buffer): Buffer | Replacement {
    const ours = message[0] === ERROR_RESPONSE ? this.#guarded?.answered(message) : undefined;
    if (ours !== undefined) {
      this.#refused.push({ theirs: Buffer.from(message), ours });
      return { forward: ours, recorded: ours };
    }
    return this.#withoutSecrets(message);
  }

  /** The same of what is recorded in its place, behind it. */
  #answerKept(message: Buffer): Buffer | Replacement {
    const [first] = this.#refused;
    if (first !== undefined && first.theirs.equals(message)) {
      this.#refused.shift();
      return { forward: first.ours, recorded: first.ours };
    }
    return this.#withoutSecrets(message);
  }

  /** A client says that it goes (§54.2.9 Terminate); one that is killed only closes its socket. */
  #clientEnded(): void {
    this.#close(this.#terminated ? "client-closed" : "client-lost", undefined);
  }

  /**
   * PostgreSQL says why it closes, by a FATAL error as its last message; where it does not, the client is told that the target is
   * gone. How the socket closes says nothing: what the client sends to a target that has closed makes it a reset.
   */
  #targetEnded(): void {
    if (this.#terminated) this.#close("client-closed", undefined);
    else if (this.#fatal && this.#fromTarget.lastTag === ERROR_RESPONSE) this.#close("target-closed", undefined);
    else this.#close("target-lost", new SallyportError("target-lost", "the connection to the target was lost"));
  }

  #close(reason: CloseReason, error: SallyportError | undefined): void {
    if (this.#closing) return;
    this.#closing = true;
    this.#guarded?.end();
    // A message of ours may stand only behind a whole message of the target's.
    this.#client.end(error !== undefined && this.#shownWhole ? farewell(error) : undefined);
    this.#target.end();
    this.#ended(reason, error);
  }
}

/** Whether there are policies. */
export function isGuarded({ policies }: Pick<GuardDeps, "policies">): boolean {
  return policies().version !== UNGUARDED.version;
}

function laterGuarded(): SallyportError {
  return new SallyportError("access-denied", "there are policies now, and there were none when this session began", {
    hint: "Connect again.",
  });
}

/** What a session's end is called in the index, by the error that ended it. */
const REASONS: Partial<Record<SallyportError["code"], CloseReason>> = {
  "access-denied": "refused",
  "protocol-violation": "protocol-violation",
  "limit-exceeded": "limit-exceeded",
  "target-lost": "target-lost",
  "shutting-down": "shutting-down",
};
