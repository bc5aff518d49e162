/** ISO/IEC 7812-1, annex B: the sum over decimal digits, doubled at every second place from the right; the check digit is at the end. */
export function luhnSum(digits: ArrayLike<number>): number {
  let sum = 0;
  for (let place = 0; place < digits.length; place++) {
    const digit = digits[digits.length - 1 - place] ?? 0;
    const weighted = place % 2 === 0 ? digit : digit * 2;
    sum += weighted > 9 ? weighted - 9 : weighted;
  }
  return sum % 10;
}

/** The digit to write behind these, so that the whole sums to a multiple of ten. */
export function luhnCheckDigit(digits: readonly number[]): number {
  return (10 - luhnSum([...digits, 0])) % 10;
}
