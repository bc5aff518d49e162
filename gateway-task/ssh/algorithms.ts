import type { Algorithms, KexAlgorithm } from "ssh2";
import { HAS_HYBRID_EXCHANGE } from "./hybrid-exchange.ts";
import { HYBRID_EXCHANGE } from "./key-exchange.ts";

/**
 * What is offered on both legs: a post-quantum exchange before curve25519, AES-GCM, no compression (the relay reads messages as
 * they are). The MACs are for the record: AES-GCM needs none (RFC 5647 §5.1).
 */
export const ALGORITHMS = {
  kex: [
    ...(HAS_HYBRID_EXCHANGE ? [HYBRID_EXCHANGE as KexAlgorithm] : []),
    "curve25519-sha256",
    "curve25519-sha256@libssh.org",
  ],
  cipher: ["aes128-gcm@openssh.com", "aes256-gcm@openssh.com"],
  hmac: ["hmac-sha2-256-etm@openssh.com", "hmac-sha2-512-etm@openssh.com"],
  compress: ["none"],
} satisfies Algorithms;
