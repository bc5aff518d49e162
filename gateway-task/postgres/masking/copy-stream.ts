import { message } from "../answers.ts";
import { MESSAGE_HEADER_BYTES } from "../messages.ts";
import { CopySplitter, rewriteCopy, type CopyRows } from "./copy-rows.ts";
import type { CopyPlan } from "./knowledge.ts";
import type { ShownBuilder } from "./shown.ts";
import type { MaskView } from "./view.ts";

/** The data of one COPY as it goes by: CopyData messages of complete rows, as each view may have them. */
export class CopyStream {
  readonly #plan: CopyPlan;
  readonly #splitter: CopySplitter;

  constructor(plan: CopyPlan) {
    this.#plan = plan;
    this.#splitter = new CopySplitter(plan.layout);
  }

  /** A CopyData message, [at, end). What it leaves incomplete goes on with a later one. */
  push(bytes: Buffer, at: number, end: number, shown: ShownBuilder): void {
    const data = bytes.subarray(at + MESSAGE_HEADER_BYTES, end);
    const rows = this.#splitter.push(data);
    if (rows.bytes.length === 0) return;
    if (rows.bytes === data) shown.put(bytes, at, end, (view) => this.#rewritten(rows, view));
    else this.#put(rows, shown);
  }

  /** No more comes: a last row may have no end. */
  end(shown: ShownBuilder): void {
    const left = this.#splitter.end();
    if (left.length > 0) this.#put({ bytes: left, from: 0 }, shown);
  }

  #put(rows: CopyRows, shown: ShownBuilder): void {
    const copied = message("d", rows.bytes);
    shown.put(copied, 0, copied.length, (view) => this.#rewritten(rows, view));
  }

  #rewritten(rows: CopyRows, view: MaskView): Buffer | undefined {
    return rewriteCopy(rows, this.#plan.layout, this.#plan.rows, view);
  }
}
