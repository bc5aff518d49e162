/** Connections of one address that have not signed in yet: an office behind one NAT address opens fewer at a time. */
const MAX_PENDING = 256;
/** Of all addresses together: each costs a socket and at most ten kilobytes. */
const MAX_PENDING_IN_ALL = 4_096;
/** Cancel requests of one address in a second: a 4-byte key (protocol 3.0) must not be found by trying. */
const MAX_CANCELS_PER_SECOND = 20;

/** What one address may do before it has signed in. */
export interface SourceLimits {
  /** Undefined: too many are under way. Else what to call when this one has signed in or is gone. */
  admit(address: string): (() => void) | undefined;
  mayCancel(address: string, now: number): boolean;
}

/** Whose address it is, as far as one can tell: of IPv6 everybody has a whole /64 (RFC 6177 §2). */
function sourceOf(address: string): string {
  if (!address.includes(":") || /^::ffff:\d+\./i.test(address)) return address;
  const [head = "", tail] = address.split("::");
  const groups = head === "" ? [] : head.split(":");
  const behind = tail === undefined || tail === "" ? 0 : tail.split(":").length;
  if (tail !== undefined) while (groups.length + behind < 8) groups.push("0");
  return groups.slice(0, 4).join(":");
}

export function newSourceLimits(): SourceLimits {
  const pending = new Map<string, number>();
  const cancels = new Map<string, number>();
  let inAll = 0;
  let second = 0;
  return {
    admit(from) {
      const address = sourceOf(from);
      const count = pending.get(address) ?? 0;
      if (count >= MAX_PENDING || inAll >= MAX_PENDING_IN_ALL) return undefined;
      pending.set(address, count + 1);
      inAll++;
      let released = false;
      return () => {
        if (released) return;
        released = true;
        inAll--;
        const left = (pending.get(address) ?? 1) - 1;
        if (left > 0) pending.set(address, left);
        else pending.delete(address);
      };
    },
    mayCancel(from, now) {
      const address = sourceOf(from);
      if (second !== Math.floor(now / 1000)) {
        second = Math.floor(now / 1000);
        cancels.clear();
      }
      const count = (cancels.get(address) ?? 0) + 1;
      cancels.set(address, count);
      return count <= MAX_CANCELS_PER_SECOND;
    },
  };
}
