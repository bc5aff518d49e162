/** Bytes of r, and of s, on P-256 (RFC 7518 §3.4). */
const HALF = 32;
const SEQUENCE = 0x30;
const INTEGER = 0x02;

/**
 * ECDSA-Sig-Value in DER (RFC 3279 §2.2.3), as KMS gives it, as r ‖ s of 64 bytes (RFC 7518 §3.4). Undefined for anything else:
 * with numbers of at most 33 bytes every length is one byte (X.690 §8.1.3.4).
 */
export function ecdsaFromDer(der: Uint8Array): Buffer | undefined {
  if (der[0] !== SEQUENCE || der[1] !== der.length - 2) return undefined;
  const r = integer(der, 2);
  const s = r && integer(der, r.end);
  if (!r || !s || s.end !== der.length) return undefined;
  return Buffer.concat([r.half, s.half]);
}

/** A positive INTEGER of the least length (X.690 §8.3.2), as 32 bytes. */
function integer(der: Uint8Array, at: number): { half: Buffer; end: number } | undefined {
  const length = der[at + 1] ?? 0;
  const end = at + 2 + length;
  if (der[at] !== INTEGER || length === 0 || length > HALF + 1 || end > der.length) return undefined;
  const [first = 0, second = 0] = der.subarray(at + 2, end);
  const isPadded = first === 0 && length > 1;
  if (first >= 0x80 || (isPadded && second < 0x80)) return undefined;
  const digits = der.subarray(at + 2 + (isPadded ? 1 : 0), end);
  if (digits.length > HALF) return undefined;
  const half = Buffer.alloc(HALF);
  half.set(digits, HALF - digits.length);
  return { half, end };
}
