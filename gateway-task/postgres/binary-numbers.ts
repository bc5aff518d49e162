/**
 * A floating-point number as the server prints it (float4out, float8out with extra_float_digits > 0): the fewest digits
 * that read back the same, in exponent notation below 1e-4 and from 1e15 (float4: 1e6) on. Of a float4 the last digit may be
 * another one that reads back the same.
 */
export function shortestFloat(value: number, single: boolean): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "Infinity" : "-Infinity";
  if (value === 0) return Object.is(value, -0) ? "-0" : "0";
  const [mantissa = "", power = "0"] = (single ? singleDigits(value) : doubleDigits(value)).split("e");
  const exponent = Number(power);
  const sign = mantissa.startsWith("-") ? "-" : "";
  const digits = mantissa.replace(/[-.]/g, "");
  if (exponent < -4 || exponent >= (single ? 6 : 15)) {
    const size = String(Math.abs(exponent)).padStart(2, "0");
    return `${mantissa}e${exponent < 0 ? "-" : "+"}${size}`;
  }
  if (exponent < 0) return `${sign}0.${"0".repeat(-exponent - 1)}${digits}`;
  const whole = digits.slice(0, exponent + 1).padEnd(exponent + 1, "0");
  const fraction = digits.slice(exponent + 1);
  return `${sign}${whole}${fraction && `.${fraction}`}`;
}

/**
 * JavaScript takes the fewest digits that read back the same, also where they stand half-way to the next number and only
 * rounding to even brings them back; PostgreSQL then takes one digit more (src/common/d2s.c). Of what has so few digits
 * only whole numbers above 2^53 can stand half-way.
 */
function doubleDigits(value: number): string {
  const text = value.toExponential();
  if (Math.abs(value) < 2 ** 53) return text;
  const exact = BigInt(Math.abs(value));
  const quarter = 1n << BigInt(Math.max(0, exact.toString(2).length - 55));
  const isPowerOfTwo = (exact & (exact - 1n)) === 0n;
  for (let digits = (text.split("e")[0] ?? "").replace(/[-.]/g, "").length; digits <= 17; digits++) {
    const candidate = value.toExponential(digits - 1);
    const distance = wholeNumber(candidate) - exact;
    const halfWay = distance < 0n && isPowerOfTwo ? -quarter : 2n * quarter;
    if (distance !== halfWay && distance !== -2n * quarter) return candidate;
  }
  return text;
}

/** The magnitude of a whole number in exponent notation. */
function wholeNumber(text: string): bigint {
  const [mantissa = "", power = "0"] = text.split("e");
  const digits = mantissa.replace(/[-.]/g, "");
  return BigInt(digits) * 10n ** BigInt(Number(power) - digits.length + 1);
}

function singleDigits(value: number): string {
  for (let digits = 0; digits < 9; digits++) {
    const text = value.toExponential(digits);
    if (Math.fround(Number(text)) === value) return text;
  }
  return value.toExponential();
}

const POSITIVE = 0x0000;
const NEGATIVE = 0x4000;
const SPECIAL: ReadonlyMap<number, string> = new Map([
  [0xc000, "NaN"],
  [0xd000, "Infinity"],
  [0xf000, "-Infinity"],
]);
/** A few bytes can stand for 147,455 digits, all but a few of them zeros: a number with more of those is not written out. */
const MAX_ZEROS = 256;

/** numeric_send: number of digits to the base 10000, weight of the first, sign, decimal places to show, the digits. */
export function binaryNumeric(bytes: Buffer): string | undefined {
  if (bytes.length < 8 || bytes.length !== 8 + 2 * bytes.readUInt16BE(0)) return undefined;
  const weight = bytes.readInt16BE(2);
  const sign = bytes.readUInt16BE(4);
  const scale = bytes.readUInt16BE(6);
  if (sign !== POSITIVE && sign !== NEGATIVE) return SPECIAL.get(sign);
  const written = 2 * (bytes.length - 8); // 4 decimal digits in 2 bytes
  if (scale - written > MAX_ZEROS || 4 * (weight + 1) - written > MAX_ZEROS) return undefined;
  const digit = (power: number): string => {
    const at = 8 + 2 * (weight - power);
    return power > weight || at >= bytes.length ? "0000" : String(bytes.readUInt16BE(at)).padStart(4, "0");
  };
  let whole = "";
  for (let power = weight; power >= 0; power--) whole += digit(power);
  let fraction = "";
  for (let power = -1; fraction.length < scale; power--) fraction += digit(power);
  const shown = whole.replace(/^0+(?=\d)/, "") || "0";
  return `${sign === NEGATIVE ? "-" : ""}${shown}${scale > 0 ? `.${fraction.slice(0, scale)}` : ""}`;
}
