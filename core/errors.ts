/** Every failure that a user of Sallyport can meet, by code: one row, and its name in each protocol that we speak. */
export const ERRORS = {
  "bad-request": { sqlstate: "08P01", http: 400 },
  "protocol-violation": { sqlstate: "08P01", http: 400 },
  "feature-not-supported": { sqlstate: "0A000", http: 501 },
  "tls-required": { sqlstate: "28000", http: 403 },
  "sign-in-required": { sqlstate: "28000", http: 401 },
  "sign-in-failed": { sqlstate: "28000", http: 401 },
  "identity-provider-unavailable": { sqlstate: "58000", http: 502 },
  "pass-invalid": { sqlstate: "28P01", http: 401 },
  "pass-expired": { sqlstate: "28P01", http: 401 },
  "pass-revoked": { sqlstate: "28P01", http: 401 },
  "pass-wrong-connection": { sqlstate: "28000", http: 403 },
  "access-denied": { sqlstate: "42501", http: 403 },
  "connection-unknown": { sqlstate: "3D000", http: 404 },
  "not-found": { sqlstate: "02000", http: 404 },
  "method-not-allowed": { sqlstate: "08P01", http: 405 },
  conflict: { sqlstate: "55000", http: 409 },
  "target-unreachable": { sqlstate: "08001", http: 502 },
  "target-untrusted": { sqlstate: "08001", http: 502 },
  "target-refused": { sqlstate: "08004", http: 502 },
  "target-lost": { sqlstate: "08006", http: 502 },
  /** Of the command line: no Sallyport answers there. */
  "server-unreachable": { sqlstate: "08001", http: 502 },
  "recording-failed": { sqlstate: "58030", http: 503 },
  "recording-corrupt": { sqlstate: "XX001", http: 500 },
  "store-unavailable": { sqlstate: "58000", http: 503 },
  "mail-unavailable": { sqlstate: "58000", http: 502 },
  "too-large": { sqlstate: "54000", http: 413 },
  "unsupported-media-type": { sqlstate: "08P01", http: 415 },
  "too-many-sessions": { sqlstate: "53300", http: 429 },
  "limit-exceeded": { sqlstate: "54000", http: 429 },
  "handshake-timeout": { sqlstate: "57014", http: 408 },
  "shutting-down": { sqlstate: "57P01", http: 503 },
  "configuration-invalid": { sqlstate: "F0000", http: 500 },
  internal: { sqlstate: "XX000", http: 500 },
} as const satisfies Record<string, { sqlstate: string; http: number }>;

export type ErrorCode = keyof typeof ERRORS;

/**
 * The one error type of the product.
 * @param code    what happened, from the closed list above
 * @param message what happened, for the person who reads it; never a secret
 * @param hint    what that person can do about it
 */
export class SallyportError extends Error {
  override readonly name = "SallyportError";
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  constructor(code: ErrorCode, message: string, options: { hint?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.hint = options.hint;
  }
}

/** Any thrown value as a SallyportError; what is not ours becomes `fallback`, with the original as its cause. */
export function asSallyportError(thrown: unknown, fallback: ErrorCode, message: string): SallyportError {
  return thrown instanceof SallyportError ? thrown : new SallyportError(fallback, message, { cause: thrown });
}
