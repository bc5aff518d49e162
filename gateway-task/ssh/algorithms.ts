import type { Algorithms } from "ssh2";

/**
 * What is offered on both legs: curve25519, AES-GCM, no compression (the relay reads messages as they are). The MACs are for the
 * record: AES-GCM needs none (RFC 5647 §5.1).
 */
export const ALGORITHMS = {
  kex: ["curve25519-sha256", "curve25519-sha256@libssh.org"],
  cipher: ["aes128-gcm@openssh.com", "aes256-gcm@openssh.com"],
  hmac: ["hmac-sha2-256-etm@openssh.com", "hmac-sha2-512-etm@openssh.com"],
  compress: ["none"],
} as const satisfies Algorithms;
