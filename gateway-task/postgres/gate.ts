import type { Ask, Policies, Verdict } from "../../core/policy/verdict.ts";
import type { Clock } from "../../core/ports/clock.ts";
import { type FactsReader, type TextFacts, UNREADABLE } from "./facts-reader.ts";
import { MESSAGE_HEADER_BYTES } from "./messages.ts";
import { changesHowTextIsRead } from "./readable-text.ts";
import { blocked, digestOf, type Ruling } from "../ruling.ts";
import { MAX_SHOWN_PREPARED, MAX_SHOWN_TEXT, shownParameters, shownText } from "./shown.ts";
import { type NamedText, protocolName, type Progress, sqlName, StatementNames } from "./statement-names.ts";

export interface GateOptions {
  readonly policies: () => Policies;
  readonly facts: FactsReader;
  readonly who: Omit<Ask, "now">;
  readonly clock: Clock;
  /** A message as approvers may read it: masked values are masked for them, too (invariant 7). */
  readonly readable: (message: Buffer) => Buffer;
}

/** Ids under which the gateway itself refuses, whatever the policies say. */
const READABLE_TEXT = "gateway:readable-text";
const STATEMENT_NAMES = "gateway:statement-names";
const SHOWN_WHOLE = "gateway:shown-whole";
const TOO_LONG_TO_SHOW = `it needs consent, and is too long for those who give it to see all of it: at most ${MAX_SHOWN_TEXT} bytes, prepared ${MAX_SHOWN_PREPARED}`;

const PASS: Ruling = { kind: "pass" };
const NOTHING: Verdict = { kind: "allow", policies: [] };
const BIND = 0x42;
const CLOSE = 0x43;
const CALL = 0x46;
const PARSE = 0x50;
const STATEMENT = 0x53;

/** All that would run, EXECUTE looked through; and where it looked. */
interface Runs {
  readonly facts: TextFacts;
  readonly texts: readonly NamedText[];
  /** A name that may stand for several texts. */
  readonly uncertain: string | undefined;
}

/**
 * Judges what one session's client asks: each text of a Query or Parse by what it does, each Bind of a statement that is
 * not simply allowed by all that its name may stand for, and calls of functions by OID (invariant 6).
 */
export class Gate {
  readonly #options: GateOptions;
  readonly #names = new StatementNames();
  /** Names that an EXECUTE of the extended protocol mentions: a portal looks them up when it runs, which is not seen. */
  readonly #executed = new Set<string>();
  #policies: Policies;
  #attentive = false;

  constructor(options: GateOptions) {
    this.#options = options;
    this.#policies = options.policies();
  }

  /** Whether Binds are to be seen: a statement is prepared that is not simply allowed. */
  get attentive(): boolean {
    return this.#attentive;
  }

  /** Of the policies that judge now. */
  get version(): string {
    return this.#policies.version;
  }

  /** Judges a whole message. Throws or rejects where it cannot be judged. */
  judge(message: Buffer, progress: Progress): Ruling | Promise<Ruling> {
    switch (message[0] as number) {
      case BIND:
        return this.#bind(message, progress);
      case CLOSE:
        return this.#close(message, progress);
      case CALL:
        return this.#rule(
          this.#policies.action(this.#ask(), "pg:functionCall"),
          message,
          [],
          () => "a function by OID",
        );
      default:
        return this.#text(message, progress);
    }
  }

  /** Takes new policies, if there are any, for what is prepared, too. */
  refresh(): void {
    const policies = this.#options.policies();
    if (policies === this.#policies) return;
    this.#policies = policies;
    this.#look();
  }

  /** Takes note of how far the server is. */
  settle(readies: number, errors: number): void {
    if (this.#names.isSettled) return;
    this.#names.settle(readies, errors);
    if (this.#attentive) this.#look();
  }

  #look(): void {
    this.#attentive = false;
    for (const { facts } of this.#names.all()) this.#attentive ||= this.#isNotable(facts);
  }

  #isNotable(facts: TextFacts): boolean {
    return this.#verdict(facts).kind !== "allow" || facts.some(({ executes }) => executes !== undefined);
  }

  #ask(): Ask {
    return { ...this.#options.who, now: this.#options.clock() };
  }

  #verdict(facts: TextFacts): Verdict {
    // A text of blanks and comments runs nothing.
    return facts.length === 0 ? NOTHING : this.#policies.statements(this.#ask(), facts);
  }

  #text(message: Buffer, progress: Progress): Ruling | Promise<Ruling> {
    const from = message[0] === PARSE ? message.indexOf(0, MESSAGE_HEADER_BYTES) + 1 : MESSAGE_HEADER_BYTES;
    const end = message.indexOf(0, from);
    const to = end < 0 ? message.length : end;
    const facts = this.#options.facts.read(message.subarray(from, to));
    if (!(facts instanceof Promise)) return this.#known(message, message.subarray(from, to), facts, progress);
    const own = Buffer.from(message); // the chunk that it stands in is read into again
    return facts.then((read) => this.#known(own, own.subarray(from, to), read, progress));
  }

  #known(message: Buffer, text: Buffer, facts: TextFacts, progress: Progress): Ruling {
    if (changesHowTextIsRead(facts, text)) {
      const reason = "this setting changes how SQL is read, so that statements could not be judged";
      return blocked(READABLE_TEXT, this.#policies.version, reason);
    }
    if (message[0] === PARSE) return this.#parse(message, facts, progress);
    return this.#query(message, facts, progress);
  }

  #query(message: Buffer, facts: TextFacts, progress: Progress): Ruling {
    const runs = this.#runs(facts, progress.asked);
    const verdict = this.#verdict(runs.facts);
    if (verdict.kind === "hold" && runs.uncertain !== undefined) return this.#uncertain(runs.uncertain);
    const shown = (): string | undefined => {
      const texts = [this.#shown(message, MAX_SHOWN_TEXT), ...runs.texts.map(shownOf)];
      return texts.includes(undefined) ? undefined : texts.join("\n-- which runs:\n");
    };
    const ruling = this.#rule(verdict, message, runs.texts, shown);
    if (ruling.kind === "block") return ruling;
    for (const { prepares } of facts) {
      if (prepares === undefined) continue;
      const refused = this.#prepare(sqlName(prepares.name), [prepares.facts], message, progress);
      if (refused) return refused;
    }
    return ruling;
  }

  /** A text of the extended protocol. Where it takes consent, its Binds are held; it can be parsed before. */
  #parse(message: Buffer, facts: TextFacts, progress: Progress): Ruling {
    const verdict = this.#verdict(facts);
    if (verdict.kind === "block") return this.#rule(verdict, message, [], () => "");
    for (const { executes, prepares } of facts) {
      if (executes !== undefined) {
        if (this.#verdict(this.#runs(facts, progress.asked).facts).kind !== "allow") return this.#indirect("EXECUTE");
        this.#executed.add(sqlName(executes));
      }
      if (prepares === undefined) continue;
      if (this.#verdict([prepares.facts]).kind !== "allow") return this.#indirect("PREPARE");
      // It takes effect when it is executed, which is not seen.
      const refused = this.#prepare(sqlName(prepares.name), [prepares.facts], message, undefined);
      if (refused) return refused;
    }
    return this.#prepare(protocolName(message, MESSAGE_HEADER_BYTES), facts, message, progress) ?? PASS;
  }

  #bind(message: Buffer, { asked }: Progress): Ruling {
    const portalEnd = message.indexOf(0, MESSAGE_HEADER_BYTES);
    const name = protocolName(message, portalEnd < 0 ? message.length : portalEnd + 1);
    const texts = this.#names.mayBe(name, asked);
    const verdicts = texts.map(({ facts }) => this.#verdict(this.#runs(facts, asked).facts));
    const notAllowed = verdicts.find(({ kind }) => kind === "block") ?? verdicts.find(({ kind }) => kind === "hold");
    if (notAllowed === undefined) return PASS;
    if (notAllowed.kind === "hold" && texts.length > 1) return this.#uncertain(name);
    const [text] = texts;
    if (notAllowed.kind === "hold" && text?.held === undefined) {
      const reason = "the policies have changed since this statement was prepared: prepare it again";
      return blocked(STATEMENT_NAMES, this.#policies.version, reason);
    }
    const shown = (): string | undefined => {
      const whole = text === undefined ? "" : shownOf(text);
      if (whole === undefined) return undefined;
      return [whole, shownParameters(this.#options.readable(message))].filter(Boolean).join("\n");
    };
    return this.#rule(notAllowed, message, texts, shown);
  }

  #close(message: Buffer, progress: Progress): Ruling {
    if (message[MESSAGE_HEADER_BYTES] !== STATEMENT) return PASS;
    if (this.#names.isFull) {
      const reason = "too many statements are prepared and closed ahead of the server: send a Sync";
      return blocked(STATEMENT_NAMES, this.#policies.version, reason);
    }
    this.#names.ask(protocolName(message, MESSAGE_HEADER_BYTES + 1), undefined, progress);
    return PASS;
  }

  /** Looks through EXECUTE: also through one of what the same text prepares. */
  #runs(facts: TextFacts, asked: number): Runs {
    if (facts.every(({ executes }) => executes === undefined)) return { facts, texts: [], uncertain: undefined };
    const texts: NamedText[] = [];
    const further = [...facts];
    let uncertain: string | undefined;
    for (const { executes } of facts) {
      if (executes === undefined) continue;
      const known = this.#names.mayBe(sqlName(executes), asked);
      const here = facts.flatMap(({ prepares }) => (prepares?.name === executes ? [prepares.facts] : []));
      if (known.length + here.length > 1) uncertain = executes;
      texts.push(...known);
      further.push(...known.flatMap((text) => text.facts), ...here);
      if (known.length + here.length === 0) further.push(...UNREADABLE);
    }
    return { facts: further, texts, uncertain };
  }

  /**
   * Keeps what a name may stand for from now on; answers why it must not.
   * @param progress undefined where it is not known when it will
   */
  #prepare(name: string, facts: TextFacts, message: Buffer, progress: Progress | undefined): Ruling | undefined {
    const { kind } = this.#verdict(facts);
    if (kind !== "allow" && this.#executed.has(name)) return this.#uncertain(name);
    if (!this.#names.hasRoomFor(name)) {
      const reason = "too many statements are prepared, or too many under one name: close some";
      return blocked(STATEMENT_NAMES, this.#policies.version, reason);
    }
    const held =
      kind === "allow"
        ? undefined
        : { digest: digestOf("prepared", [message]), shown: this.#shown(message, MAX_SHOWN_PREPARED) };
    if (progress === undefined) this.#names.suppose(name, { facts, held });
    else this.#names.ask(name, { facts, held }, progress);
    this.#attentive ||= this.#isNotable(facts);
    return undefined;
  }

  #shown(message: Buffer, most: number): string | undefined {
    return shownText(this.#options.readable(message), most);
  }

  #uncertain(name: string): Ruling {
    const reason = `it is not certain which statement "${name}" stands for, and one of them needs consent: use another name`;
    return blocked(STATEMENT_NAMES, this.#policies.version, reason);
  }

  #indirect(what: string): Ruling {
    const reason = `a statement that is not simply allowed cannot be run by ${what} within the extended protocol`;
    return blocked(STATEMENT_NAMES, this.#policies.version, reason);
  }

  /** @param texts what the message runs by name: its digest is over them, too */
  #rule(verdict: Verdict, message: Buffer, texts: readonly NamedText[], shown: () => string | undefined): Ruling {
    if (verdict.kind === "allow") return PASS;
    const policyVersion = this.#policies.version;
    if (verdict.kind === "block") return { ...verdict, policyVersion };
    const digest = digestOf("asked", [message, ...texts.map(({ held }) => held?.digest ?? "")]);
    const whole = shown();
    if (whole === undefined) return blocked(SHOWN_WHOLE, policyVersion, TOO_LONG_TO_SHOW);
    return { ...verdict, policyVersion, shown: whole, digest };
  }
}

/** What is kept of a prepared text for whoever is asked; undefined where it is too long for that. */
function shownOf({ held }: NamedText): string | undefined {
  return held === undefined ? "" : held.shown;
}
