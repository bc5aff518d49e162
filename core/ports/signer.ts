/** A public key as a JWK (RFC 7517), P-256. */
export interface PublicJwk {
  readonly kty: "EC";
  readonly crv: "P-256";
  readonly x: string;
  readonly y: string;
  readonly kid: string;
}

/** Signs with ES256 (RFC 7518 §3.4): the signature is r ‖ s, 64 bytes. */
export interface Signer {
  readonly publicKey: PublicJwk;
  sign(bytes: Uint8Array): Promise<Uint8Array>;
}
