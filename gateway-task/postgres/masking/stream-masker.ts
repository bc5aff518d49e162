import { SallyportError } from "../../../core/errors.ts";
import type { Masking, MaskRule } from "../../../core/masking/masking.ts";
import { MessageReader } from "../message-reader.ts";
import { behindAll, MAX_MESSAGE_LENGTH, MESSAGE_HEADER_BYTES, MIN_MESSAGE_LENGTH } from "../messages.ts";
import { REFUSAL_MARK } from "../refusal.ts";
import { wireText, stringEnd } from "../../../core/wire-text.ts";
import { ASKED_PLAN, AskedReader } from "./asked.ts";
import type { Catalog } from "./catalog.ts";
import type { CatalogRows } from "./catalog-rows.ts";
import { rewriteError } from "./error-texts.ts";
import { CopyStream } from "./copy-stream.ts";
import { HeldBytes } from "./held-bytes.ts";
import { Knowledge } from "./knowledge.ts";
import { Replies } from "./replies.ts";
import { MaskCounts } from "../../mask-counts.ts";
import { rewriteRows } from "./rows.ts";
import { rowFields, type RowPlan } from "./row-plan.ts";
import { StatementRecord } from "./statement-record.ts";
import { ShownBuilder, viewsOf, type Shown, type Views } from "./shown.ts";
import { rewriteSmall } from "./small-messages.ts";

/** Command tags of what may change what names stand for in the catalog. */
const DEFINES = /^(?:ALTER|CREATE|DROP|DO|CALL|IMPORT)\b/;

export interface StreamMaskerOptions {
  readonly masking: Masking;
  /** The client is shown everything; what is recorded is masked all the same. */
  readonly unmasked: boolean;
  /** Undefined where there are no rules for columns. */
  readonly catalog: Catalog | undefined;
  /** Reads the catalog with the session's credentials. */
  readonly ask: () => Promise<CatalogRows>;
}

/**
 * Masks what a server sends, in chunks as they come, by what its client has asked. Whatever has to be looked at is held
 * until it is whole; all else goes on at once. What cannot be understood is masked; what cannot even be told apart ends the
 * session (invariant 2).
 */
export class StreamMasker {
  readonly #views: Views;
  readonly #replies: Replies;
  readonly #knowledge: Knowledge;
  readonly #asked: MessageReader;
  /** Makes what the client asks fit to be recorded. */
  readonly statements: StatementRecord;
  readonly #catalog: boolean;
  readonly #counts = new MaskCounts();
  /** Bytes of a message that go on unseen and are still to come. */
  #skip = 0;
  readonly #held = new HeldBytes();
  /** Of the rows that come now; undefined until it is known. */
  #plan: RowPlan | undefined;
  /** Of the COPY whose rows come now, where they have to be looked at. */
  #copy: CopyStream | undefined;
  #defined = false;
  #waiting: Promise<void> | undefined;

  constructor({ masking, unmasked, catalog, ask }: StreamMaskerOptions) {
    const { count } = this.#counts;
    this.#views = viewsOf(masking, unmasked, count);
    this.#replies = new Replies((stated) => this.#knowledge.nameIn(stated));
    this.#knowledge = new Knowledge(catalog, ask, this.#replies);
    this.#catalog = catalog !== undefined;
    this.statements = new StatementRecord(masking, (schema, name) => this.#knowledge.relations(schema, name), count);
    const reader = new AskedReader(
      (asked) => this.#replies.ask(asked),
      () => this.#replies.lose(),
    );
    this.#asked = new MessageReader(ASKED_PLAN, reader);
  }

  /** Reads the catalog where it is needed: a session whose results could not be told apart must not begin. */
  async open(): Promise<void> {
    await this.#knowledge.ready();
  }

  /** Takes what has been sent to the server, in order. */
  asked(bytes: Buffer): void {
    this.#asked.push(bytes, 0, 0);
  }

  /** How many values each rule has masked since the last time; undefined if none. */
  takeCounts(): Record<string, number> | undefined {
    return this.#counts.take();
  }

  /** Takes the next bytes of the server. While a promise is under way, nothing else may be pushed. */
  push(chunk: Buffer): Shown | Promise<Shown> {
    const shown = new ShownBuilder(this.#views);
    const bytes = this.#held.joined(chunk);
    if (bytes === undefined) return shown.take();
    const at = this.#advance(bytes, 0, shown);
    const own = bytes === chunk ? undefined : bytes;
    return at < 0 ? shown.take(own) : this.#later(bytes, at, shown, own);
  }

  async #later(bytes: Buffer, from: number, shown: ShownBuilder, own: Buffer | undefined): Promise<Shown> {
    for (let at = from; at >= 0; at = this.#advance(bytes, at, shown)) {
      await this.#waiting;
      this.#waiting = undefined;
    }
    return shown.take(own);
  }

  /** Deals with messages from `from` on; answers -1, or the offset of the one that has to wait for something. */
  #advance(bytes: Buffer, from: number, shown: ShownBuilder): number {
    let at = from + Math.min(this.#skip, bytes.length - from);
    if (this.#skip > 0) shown.pass(bytes, from, at);
    this.#skip -= at - from;
    while (bytes.length - at >= MESSAGE_HEADER_BYTES) {
      const tag = bytes[at] as number;
      const length = bytes.readUInt32BE(at + 1);
      if (length < MIN_MESSAGE_LENGTH || length > MAX_MESSAGE_LENGTH)
        throw new SallyportError("protocol-violation", `the target sent a message of the impossible length ${length}`);
      const end = at + 1 + length;
      if (tag === DATA_ROW && this.#planned() === undefined) return at;
      if (end > bytes.length) {
        if (this.#looksAt(tag)) this.#held.hold(bytes, at, end - at);
        else {
          shown.pass(bytes, at, bytes.length);
          this.#skip = end - bytes.length;
        }
        return -1;
      }
      const next = this.#next(tag, bytes, at, end, shown);
      if (next < 0) return at;
      at = next;
      this.#knowledge.next();
    }
    if (at < bytes.length) this.#held.hold(bytes, at, 0);
    return -1;
  }

  /** Whether messages of this type have to be whole. */
  #looksAt(tag: number): boolean {
    if (tag === DATA_ROW) return this.#plan?.masks !== false || this.#views.record.masking.hasDetectors;
    if (tag === COPY_DATA) return this.#copy !== undefined;
    return true;
  }

  /** The plan of the rows that come; undefined while it has to be waited for. */
  #planned(): RowPlan | undefined {
    if (this.#plan !== undefined) return this.#plan;
    const answering = this.#replies.answering();
    const portal = answering.kind === "execute" ? answering.portal : this.#replies.unknownPortal;
    return this.#waitOr(this.#knowledge.executed(portal), (plan) => (this.#plan = plan));
  }

  #waitOr<T, R>(value: T | Promise<void>, use: (value: T) => R): R | undefined {
    if (!(value instanceof Promise)) return use(value);
    this.#waiting = value;
    return undefined;
  }

  /** Deals with a message, or with all of its kind that follow; answers the offset behind, or -1 while it has to wait. */
  #next(tag: number, bytes: Buffer, at: number, end: number, shown: ShownBuilder): number {
    if (tag === DATA_ROW) {
      const plan = this.#plan as RowPlan;
      const to = behindAll(DATA_ROW, bytes, at);
      shown.put(bytes, at, to, (view) => rewriteRows(bytes, at, to, plan, view));
      return to;
    }
    if (tag === COPY_DATA && this.#copy !== undefined) {
      const to = behindAll(COPY_DATA, bytes, at);
      this.#copy.push(bytes, at, to, shown);
      return to;
    }
    return this.#message(tag, bytes, at, end, shown);
  }

  /** Any other message; answers the offset behind it, or -1 while it has to wait. */
  #message(tag: number, bytes: Buffer, at: number, end: number, shown: ShownBuilder): number {
    switch (String.fromCharCode(tag)) {
      case "T":
        if (!this.#describe(bytes, at, end)) return -1;
        break;
      case "n":
        this.#replies.described(undefined);
        break;
      case "1":
        this.#replies.parsed();
        break;
      case "2":
        this.#replies.bound();
        break;
      case "3":
        this.#replies.closed();
        break;
      case "G":
        this.#replies.copyIn();
        break;
      case "C":
      case "I":
      case "s":
        this.#ended(bytes, at, end);
        break;
      case "Z":
        this.#ready(bytes[at + MESSAGE_HEADER_BYTES]);
        break;
      case "H":
      case "W":
        if (!this.#copies(bytes[at + MESSAGE_HEADER_BYTES] === 1)) return -1;
        break;
      case "c":
        this.#copy?.end(shown);
        this.#copy = undefined;
        break;
      case "E":
      case "N":
        return this.#said(tag, bytes, at, end, shown);
      case "A":
      case "S":
      case "V": {
        const answering = this.#replies.answering();
        shown.put(bytes, at, end, (view) => rewriteSmall(bytes.subarray(at, end), answering, this.#catalog, view));
        return end;
      }
      default:
        break;
    }
    shown.pass(bytes, at, end);
    return end;
  }

  /** Whether a RowDescription is understood; false while it has to wait. */
  #describe(bytes: Buffer, at: number, end: number): boolean {
    const fields = rowFields(bytes, at + MESSAGE_HEADER_BYTES, end);
    if (fields === undefined)
      throw new SallyportError("protocol-violation", "the target describes its rows in a way that is not well-formed");
    const answering = this.#replies.answering();
    if (answering.kind !== "query") {
      // Describe; the plan is made when the rows come. In place of anything else it is of a statement that is not known.
      this.#replies.described(fields);
      if (answering.kind !== "execute" && answering.kind !== "unknown") return true;
    }
    const stated = answering.kind === "query" ? answering.stated : this.#replies.unknownPortal.stated;
    return this.#waitOr(this.#knowledge.described(fields, stated), (plan) => (this.#plan = plan)) !== undefined;
  }

  /** COPY's rows come; false while it has to be waited for what is to become of them. */
  #copies(binary: boolean): boolean {
    const plan = this.#knowledge.copied(this.#replies.answering());
    if (plan instanceof Promise) {
      this.#waiting = plan;
      return false;
    }
    if (plan === undefined || (plan.layout.kind === "binary") !== binary)
      throw new SallyportError(
        "feature-not-supported",
        "a COPY that cannot be read does not pass where values are masked",
      );
    const looks = plan.rows.masks || this.#views.record.masking.hasDetectors;
    this.#copy = looks ? new CopyStream(plan, this.#views.record) : undefined;
    return true;
  }

  #ended(bytes: Buffer, at: number, end: number): void {
    const start = at + MESSAGE_HEADER_BYTES;
    const tag = end - start < 64 ? wireText(bytes, start, stringEnd(bytes, start, end)) : "";
    this.#defined ||= DEFINES.test(tag);
    this.#plan = undefined;
    this.#replies.ended(tag);
  }

  #ready(status: number | undefined): void {
    this.#plan = undefined;
    this.#replies.ready();
    // What was changed in a transaction is in force, and can be read by others, when that has ended.
    if (this.#defined && status === IDLE) {
      this.#defined = false;
      this.#knowledge.definitionsChanged();
    }
  }

  #said(tag: number, bytes: Buffer, at: number, end: number, shown: ShownBuilder): number {
    const said = bytes.subarray(at, end);
    const taint = this.#knowledge.about(this.#replies.answering());
    if (taint instanceof Promise) {
      this.#waiting = taint;
      return -1;
    }
    const ofTable = (schema: string, table: string): MaskRule | undefined => this.#knowledge.ofTable(schema, table);
    // It answers a refused statement, and becomes an error of ours.
    if (said.includes(REFUSAL_MARK)) shown.pass(bytes, at, end);
    else shown.put(bytes, at, end, (view) => rewriteError(said, { touched: taint?.touched, ofTable }, view));
    if (tag === ERROR_RESPONSE) {
      this.#plan = this.#copy = undefined;
      this.#replies.failed();
    }
    return end;
  }
}

const DATA_ROW = 0x44;
const COPY_DATA = 0x64;
const ERROR_RESPONSE = 0x45;
const IDLE = 0x49;
