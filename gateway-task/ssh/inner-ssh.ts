import type { Side } from "../recorder/permit.ts";

/** How a party of SSH begins (RFC 4253 §4.2). */
const GREETING = Buffer.from("SSH-");

/**
 * Tells whether what a forward carries is SSH: a session within it would pass the gateway unseen. Each side's first bytes tell,
 * however they are cut. (A server may say other lines first, and two that agree can disguise it: then it is as opaque as TLS.)
 */
export class InnerSsh {
  readonly #seen: Record<Side, number> = { client: 0, target: 0 };

  /** Takes what a side sends next; true once it is known to be SSH. */
  carries(bytes: Buffer, from: Side): boolean {
    let seen = this.#seen[from];
    for (let at = 0; seen >= 0 && seen < GREETING.length && at < bytes.length; at++)
      seen = bytes[at] === GREETING[seen] ? seen + 1 : -1;
    this.#seen[from] = seen;
    return seen === GREETING.length;
  }
}
