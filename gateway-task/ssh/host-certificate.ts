import constants from "ssh2/lib/protocol/constants.js";
import { readSshCertificate } from "../../core/identity/ssh-certificate.ts";

/**
 * Lets the library take a target's certificate for its host key, which it does not know. This, too, touches what ssh2 does not
 * document. Who is trusted for it is decided in host-trust.ts.
 */
export interface HostKeyExchange {
  readonly negotiated: { serverHostKey: string };
  _hostKey: Buffer | undefined;
  _sig: Buffer | undefined;
}

const SUFFIX = "-cert-v01@openssh.com";
const RSA_CERTIFICATE = `ssh-rsa${SUFFIX}`;

/** What keys sign by, the best first: nothing of SHA-1. */
export const SIGNATURE_ALGORITHMS = [
  "ssh-ed25519",
  "ecdsa-sha2-nistp256",
  "ecdsa-sha2-nistp384",
  "ecdsa-sha2-nistp521",
  "rsa-sha2-512",
  "rsa-sha2-256",
];
/** The same of a certified key of a host, in the order in which it is asked for. */
export const HOST_CERTIFICATE_ALGORITHMS = SIGNATURE_ALGORITHMS.map((algorithm) => algorithm + SUFFIX);

// The library lets nobody ask for what it does not know.
constants.SUPPORTED_SERVER_HOST_KEY.push(...HOST_CERTIFICATE_ALGORITHMS);

/**
 * Of an exchange in which the host shows a certificate: what is hashed is the certificate, and what has signed is the key in it, by
 * that key's own algorithm. The library reads the signature between the two.
 */
export function takeHostCertificate(exchange: HostKeyExchange): void {
  const { negotiated } = exchange;
  if (!negotiated.serverHostKey.endsWith(SUFFIX)) return;
  const algorithm = negotiated.serverHostKey.slice(0, -SUFFIX.length);
  // An RSA key is of one type, whatever it signs by (RFC 8332 §3).
  if (algorithm.startsWith("rsa-")) negotiated.serverHostKey = RSA_CERTIFICATE;
  let shown: Buffer | undefined;
  let signature: Buffer | undefined;
  Object.defineProperties(exchange, {
    _hostKey: {
      get: () => shown,
      set(blob: Buffer | undefined) {
        shown = blob;
      },
    },
    _sig: {
      get: () => {
        negotiated.serverHostKey = algorithm;
        shown = shown && readSshCertificate(shown).publicKey;
        return signature;
      },
      set(blob: Buffer | undefined) {
        signature = blob;
      },
    },
  });
}
