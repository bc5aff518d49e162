/** Whom a target shall take the bearer for. */
export interface TokenFor {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  /** Where the target is; undefined: where the gateway is. */
  readonly region: string | undefined;
}

/** Short-lived passwords of targets that trust the account's own identities. Throws `store-unavailable`. */
export interface TargetTokens {
  /** A password that is good for some minutes of log-ins; a session that it opened outlives it. */
  token(target: TokenFor): Promise<string>;
}
