/** Secrets that deployments make: read to see whether there is one, and written where there is none. */
export interface SecretVault {
  /** The current value; undefined where the secret has none yet. Throws `store-unavailable`. */
  current(secret: string): Promise<string | undefined>;
  /**
   * Makes a value the current one. A second value with the same request id is not taken: whoever came first has decided.
   * Throws `store-unavailable`.
   * @param request 32 to 64 characters
   */
  put(secret: string, value: string, request: string): Promise<void>;
}
