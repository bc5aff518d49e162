declare const recordedFor: unique symbol;

export type Side = "client" | "target";

/**
 * Proof that `bytes` have been recorded as the connection's durability demands. A transport writes nothing else
 * (invariant 1). The symbol is not exported, so that only `mintPermit`, called by the recorder alone, makes one.
 */
export interface Permit<To extends Side> {
  readonly [recordedFor]: To;
  readonly bytes: Buffer;
}

/** For the recorder (session-recorder.ts) only; the linter refuses it elsewhere. */
export function mintPermit<To extends Side>(bytes: Buffer): Permit<To> {
  return { bytes } as Permit<To>;
}
