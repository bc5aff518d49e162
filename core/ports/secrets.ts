/** Credentials of targets, by name. Throws SallyportError `store-unavailable`, or `not-found` for a name that is not there. */
export interface Secrets {
  /**
   * The secret as it is now, or was a few minutes ago.
   * @param fresh not from memory: what was known has been refused, and may have been rotated
   */
  get(name: string, fresh?: "fresh"): Promise<string>;
}
