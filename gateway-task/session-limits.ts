import { SallyportError } from "../core/errors.ts";

/**
 * Live sessions of one person or service, at one gateway: pools of many instances have fewer. What sessions hold beside two
 * sockets and some 35 kB is bounded for all of them together.
 */
const MAX_OF_PERSON = 1_500;
/** Of everybody: one person leaves room for others. */
const MAX_IN_ALL = 6_000;

export interface SessionLimits {
  /** Throws `too-many-sessions`. Else what to call, once, when the session is over. */
  admit(person: string): () => void;
}

export function newSessionLimits(ofPerson = MAX_OF_PERSON, inAll = MAX_IN_ALL): SessionLimits {
  const live = new Map<string, number>();
  let all = 0;
  return {
    admit(person) {
      const count = live.get(person) ?? 0;
      if (count >= ofPerson)
        throw new SallyportError("too-many-sessions", `you have ${count} sessions open, which is as many as one may`, {
          hint: "Close some that are idle, or give the connection pools fewer connections.",
        });
      if (all >= inAll)
        throw new SallyportError("too-many-sessions", "the gateway has as many sessions open as it may", {
          hint: "Try again later; whoever runs the gateway can start another.",
        });
      live.set(person, count + 1);
      all++;
      return () => {
        all--;
        const left = (live.get(person) ?? 1) - 1;
        if (left > 0) live.set(person, left);
        else live.delete(person);
      };
    },
  };
}
