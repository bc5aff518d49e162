/** Who has something, and a mark that is another one after every renewal and every change of hands. */
export interface Lease {
  readonly holder: string;
  readonly version: string;
}

/**
 * Who owns a spool directory. Leases bear no time, since the clocks of tasks differ: whoever wants another's lease watches
 * by its own clock whether it is renewed, and takes it over when it was not for as long as the dead are waited for.
 */
export interface LeaseStore {
  /** Takes a lease that nobody has, or renews the holder's own. False: another holder has it. */
  acquire(name: string, holder: string): Promise<boolean>;
  /** Undefined where nobody has it. */
  look(name: string): Promise<Lease | undefined>;
  /** Takes it from whoever has it, if it is still of this version. False: it was renewed, taken or given up meanwhile. */
  takeOver(name: string, holder: string, version: string): Promise<boolean>;
  /** Gives it up, if this holder has it. */
  release(name: string, holder: string): Promise<void>;
}
