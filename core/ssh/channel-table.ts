/** Who says something. */
export type Side = "client" | "target";

/** A channel, as both sides number it (RFC 4254 §5): each names it by the other's number. */
export interface NumberedChannel {
  /** From 1, in the order in which either side asked for channels. */
  readonly number: number;
  readonly by: Side;
  /** The numbers that each side has given it; of the side that was asked, once it has confirmed. */
  readonly numbers: { client: number | undefined; target: number | undefined };
}

/** More channels than this at once are not followed: a client of hundreds is rare. */
const MAX_CHANNELS = 4_096;

/** The channels of a session that are open or asked for. */
export class ChannelTable<C extends NumberedChannel> {
  readonly #named = { client: new Map<number, C>(), target: new Map<number, C>() };
  readonly #all = new Set<C>();
  readonly #displaced: (channel: C) => void;
  #opened = 0;

  /** @param displaced takes a channel whose number is given to another while it is open, which neither side should do */
  constructor(displaced: (channel: C) => void) {
    this.#displaced = displaced;
  }

  /** A channel is asked for; undefined where there are too many to follow one more, which has its number all the same. */
  open(by: Side, number: number, make: (channel: NumberedChannel) => C): C | undefined {
    this.#opened++;
    this.#displace(by, number);
    if (this.#all.size >= MAX_CHANNELS) return undefined;
    const channel = make({ number: this.#opened, by, numbers: { client: undefined, target: undefined, [by]: number } });
    this.#named[by].set(number, channel);
    this.#all.add(channel);
    return channel;
  }

  /** The side that was asked gives it a number of its own. */
  confirm(by: Side, recipient: number, number: number): C | undefined {
    const channel = this.of(by, recipient);
    if (channel === undefined || channel.by === by || channel.numbers[by] !== undefined) return undefined;
    this.#displace(by, number);
    channel.numbers[by] = number;
    this.#named[by].set(number, channel);
    return channel;
  }

  /** The channel that a message of this side is for. */
  of(sender: Side, recipient: number): C | undefined {
    return this.#named[sender === "client" ? "target" : "client"].get(recipient);
  }

  remove(channel: C): void {
    this.#all.delete(channel);
    for (const side of ["client", "target"] as const) {
      const number = channel.numbers[side];
      if (number !== undefined && this.#named[side].get(number) === channel) this.#named[side].delete(number);
    }
  }

  clear(): void {
    this.#all.clear();
    this.#named.client.clear();
    this.#named.target.clear();
  }

  /** In the order in which they were asked for. */
  [Symbol.iterator](): Iterator<C> {
    return this.#all.values();
  }

  #displace(side: Side, number: number): void {
    const before = this.#named[side].get(number);
    if (before === undefined) return;
    this.#displaced(before);
    this.remove(before);
  }
}
