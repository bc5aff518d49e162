/** Credentials of targets, by name. Throws SallyportError `store-unavailable`, or `not-found` for a name that is not there. */
export interface Secrets {
  get(name: string): Promise<string>;
}
