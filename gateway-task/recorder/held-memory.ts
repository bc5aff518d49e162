/** What may hold memory for a session: how much, roughly, and a way to let go of it. */
interface Holder {
  readonly held: number;
  forget(): void;
}

interface Share<T> {
  readonly owner: T;
  readonly holder: Holder;
  held: number;
}

/**
 * The memory that the sessions of one thread hold together, bounded: over the bound the session that holds the most lets go
 * of all it has, then the next, until the rest fits. One session, or many of one person, can then not exhaust what all share.
 */
export class HeldMemory<T> {
  readonly #limit: number;
  readonly #overdrawn: (owner: T) => void;
  readonly #shares = new Map<T, Share<T>>();
  readonly #touched = new Set<Share<T>>();
  #held = 0;

  /** @param overdrawn called for each session that had to let go */
  constructor(limit: number, overdrawn: (owner: T) => void) {
    this.#limit = limit;
    this.#overdrawn = overdrawn;
  }

  add(owner: T, holder: Holder): void {
    this.#shares.set(owner, { owner, holder, held: 0 });
  }

  remove(owner: T): void {
    const share = this.#shares.get(owner);
    if (share === undefined) return;
    this.#held -= share.held;
    this.#touched.delete(share);
    this.#shares.delete(owner);
  }

  /** What this one holds may have changed. */
  touch(owner: T): void {
    const share = this.#shares.get(owner);
    if (share !== undefined) this.#touched.add(share);
  }

  /** Weighs those that were touched, and keeps the bound. */
  settle(): void {
    for (const share of this.#touched) this.#weigh(share);
    this.#touched.clear();
    while (this.#held > this.#limit) {
      const [first, ...others] = this.#shares.values();
      const heaviest = others.reduce((most, share) => (most && most.held >= share.held ? most : share), first);
      if (heaviest === undefined) return;
      const before = heaviest.held;
      heaviest.holder.forget();
      this.#weigh(heaviest);
      if (heaviest.held >= before) return; // it has nothing to let go of, and nobody has more
      this.#overdrawn(heaviest.owner);
    }
  }

  #weigh(share: Share<T>): void {
    const { held } = share.holder;
    this.#held += held - share.held;
    share.held = held;
  }
}
