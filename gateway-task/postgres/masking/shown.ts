import { giveBack } from "../../io-buffers.ts";
import type { CountMask, Masking, MaskRule } from "../../../core/masking/masking.ts";
import type { MaskView } from "./view.ts";

/** What goes to the client, and what is recorded of it; the identical Buffer where that is the same. */
export interface Shown {
  readonly forward: Buffer;
  readonly recorded: Buffer;
}

/** Whether any of it lies where these bytes do. */
export function sharesMemory({ forward, recorded }: Shown, bytes: Buffer): boolean {
  return forward.buffer === bytes.buffer || recorded.buffer === bytes.buffer;
}

/** Whose views of one stream are made at the same time. */
export interface Views {
  /** Undefined: the client is shown everything as it is. */
  readonly client: MaskView | undefined;
  readonly record: MaskView;
}

/** @param unmasked the client is shown everything as it is */
export function viewsOf(masking: Masking, unmasked: boolean, count: CountMask): Views {
  const record: MaskView = { masking, applies: () => true, count };
  if (unmasked) return { record, client: undefined };
  if (masking.clientView === masking) return { record, client: record };
  const applies = (rule: MaskRule): boolean => rule.where === "client+recording";
  return { record, client: { masking: masking.clientView, applies, count: () => {} } }; // the record's view counts for both
}

/** Bytes of a message or several, as a view may have them; undefined if that is as they are. */
export type Rewrite = (view: MaskView) => Buffer | undefined;

/** Puts together what comes of one chunk; bytes that go on as they are, and next to each other, are one piece. */
export class ShownBuilder {
  readonly #views: Views;
  readonly #forward = new Pieces();
  readonly #recorded: Pieces;

  constructor(views: Views) {
    this.#views = views;
    this.#recorded = views.client === views.record ? this.#forward : new Pieces();
  }

  pass(bytes: Buffer, from: number, to: number): void {
    this.#forward.add(bytes, from, to);
    if (this.#recorded !== this.#forward) this.#recorded.add(bytes, from, to);
  }

  put(bytes: Buffer, from: number, to: number, rewrite: Rewrite): void {
    const { client, record } = this.#views;
    if (client === undefined) this.#forward.add(bytes, from, to);
    else this.#forward.addOr(rewrite(client), bytes, from, to);
    if (this.#recorded !== this.#forward) this.#recorded.addOr(rewrite(record), bytes, from, to);
  }

  /** @param own memory of ours that the chunk was put together in: given back where nothing of what is shown lies in it */
  take(own?: Buffer): Shown {
    const forward = this.#forward.take();
    const shown = { forward, recorded: this.#recorded === this.#forward ? forward : this.#recorded.take() };
    if (own !== undefined && !sharesMemory(shown, own)) giveBack(own);
    return shown;
  }
}

class Pieces {
  #pieces: Buffer[] = [];
  /** The piece under way: [from, to) of `bytes`. */
  #bytes: Buffer | undefined;
  #from = 0;
  #to = 0;

  add(bytes: Buffer, from: number, to: number): void {
    if (from === to) return;
    if (this.#bytes === bytes && this.#to === from) {
      this.#to = to;
      return;
    }
    this.#close();
    this.#bytes = bytes;
    this.#from = from;
    this.#to = to;
  }

  addOr(changed: Buffer | undefined, bytes: Buffer, from: number, to: number): void {
    if (changed === undefined) this.add(bytes, from, to);
    else this.add(changed, 0, changed.length);
  }

  take(): Buffer {
    this.#close();
    const [first] = this.#pieces;
    const taken = this.#pieces.length === 1 && first !== undefined ? first : Buffer.concat(this.#pieces);
    this.#pieces = [];
    return taken;
  }

  #close(): void {
    const bytes = this.#bytes;
    if (bytes === undefined) return;
    this.#pieces.push(this.#from === 0 && this.#to === bytes.length ? bytes : bytes.subarray(this.#from, this.#to));
    this.#bytes = undefined;
  }
}
