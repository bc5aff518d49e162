import type { TextFacts } from "./facts-reader.ts";

/** NAMEDATALEN - 1: the server looks names up by so many bytes, of whatever length they are (prepare.c, dynahash.c). */
const MAX_NAME_BYTES = 63;

/** The name that begins at `from` in a message, as the server looks it up: one character a byte. */
export function protocolName(message: Buffer, from: number): string {
  const end = message.indexOf(0, from);
  return message.toString("latin1", from, Math.min(end < 0 ? message.length : end, from + MAX_NAME_BYTES));
}

/** The same of a name in SQL. */
export function sqlName(name: string): string {
  return Buffer.from(name).toString("latin1", 0, MAX_NAME_BYTES);
}

/** What a name may stand for at the target: enough to judge it again, and to say what it is where it is held. */
export interface NamedText {
  readonly facts: TextFacts;
  /** Set where consent is needed: SHA-256 of the text, in hex, and the text as approvers are shown it, if it is not too long for that. */
  readonly held: { readonly digest: string; readonly shown: string | undefined } | undefined;
}

/** Where the two directions of a session are. */
export interface Progress {
  /** Messages asked that ReadyForQuery answers. */
  readonly asked: number;
  /** ErrorResponses that have come. */
  readonly errors: number;
}

interface Pending extends Progress {
  readonly name: string;
  /** Undefined: the name is closed. */
  readonly text: NamedText | undefined;
}

/** More of them than any driver keeps; a session that prepares more is refused the next. */
const MAX_NAMES = 10_000;
/** Texts that one name may stand for, while it is not certain which. */
const MAX_TEXTS = 16;
/** Preparations that the server has not answered. */
const MAX_PENDING = 20_000;
/** The ReadyForQuery of the log-in, and the one of the message's own cycle. */
const READIES = 2;

/**
 * What each prepared statement's name may stand for at the target. A Parse or Close takes effect only if the server does not
 * fail or skip it, which shows when its cycle ends without an error; until then, and for good where there was one, the
 * name stands for any of what it may: so that nothing runs under a weaker verdict than its own.
 */
export class StatementNames {
  readonly #texts = new Map<string, readonly NamedText[]>();
  #pending: Pending[] = [];

  /** Whether one more name can be kept track of. */
  hasRoomFor(name: string): boolean {
    if (this.isFull) return false;
    const texts = this.#texts.get(name);
    return texts === undefined ? this.#texts.size + this.#pending.length < MAX_NAMES : texts.length < MAX_TEXTS;
  }

  /** Whether the server is too far behind for more to be asked of names. */
  get isFull(): boolean {
    return this.#pending.length >= MAX_PENDING;
  }

  /** The client asks that a name stand for a text, or for nothing. */
  ask(name: string, text: NamedText | undefined, { asked, errors }: Progress): void {
    this.#pending.push({ name, text, asked, errors });
  }

  /** A name may stand for a text at some time from now on. */
  suppose(name: string, text: NamedText): void {
    this.#texts.set(name, including(this.#texts.get(name) ?? [], text));
  }

  /** All that a name may stand for, now that the client has asked so much. None: nothing that was seen. */
  mayBe(name: string, asked: number): readonly NamedText[] {
    let texts = this.#texts.get(name) ?? [];
    for (const pending of this.#pending) {
      if (pending.name !== name || pending.text === undefined) continue;
      // Between two Syncs what follows a failed Parse is skipped, too.
      texts = pending.asked === asked ? [pending.text] : including(texts, pending.text);
    }
    return texts;
  }

  /** Takes note of how far the server is: `readies` are the ReadyForQuery messages that have come. */
  settle(readies: number, errors: number): void {
    let settled = 0;
    for (const { name, text, asked, errors: before } of this.#pending) {
      if (readies < asked + READIES) break;
      settled++;
      const certain = errors === before;
      if (text !== undefined) this.#texts.set(name, certain ? [text] : including(this.#texts.get(name) ?? [], text));
      else if (certain) this.#texts.delete(name);
    }
    if (settled > 0) this.#pending = this.#pending.slice(settled);
  }

  get isSettled(): boolean {
    return this.#pending.length === 0;
  }

  /** Every name with all that it may stand for. */
  *all(): Generator<NamedText> {
    for (const texts of this.#texts.values()) yield* texts;
    for (const { text } of this.#pending) if (text !== undefined) yield text;
  }
}

function including(texts: readonly NamedText[], text: NamedText): readonly NamedText[] {
  if (texts.some((known) => known.facts === text.facts && known.held?.digest === text.held?.digest)) return texts;
  return [...texts, text];
}
