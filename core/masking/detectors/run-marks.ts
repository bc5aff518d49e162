import { CLASSES, NUMERIC, TOKEN } from "./byte-classes.ts";
import { I32, I64, V128, get, i32, i64, instance, loopWhile, select, set, tee, v128, type Code } from "./wasm.ts";

/** A block of bytes has a mark of each kind. */
export const BLOCK = 64;
/** A run that a block's mark tells of begins so many bytes before it, or later. */
export const BEFORE = 32;
/** Where there is no run: behind the block. */
export const NO_RUN = BEFORE + BLOCK;
/** The longest run that is sure to lie whole in a block, or in what stands around where two meet. */
const MAX_RUN = 33;

/** So many bytes, of a kind, in a row. */
interface LongRun {
  readonly length: number;
  readonly isOf: (byte: number) => boolean;
}

const isOf = (classes: number) => (byte: number) => ((CLASSES[byte] ?? 0) & classes) !== 0;
const isIn = (letters: string) => (byte: number) => letters.includes(String.fromCharCode(byte));

/** What is in every number that is looked for. */
const NUMBERS: readonly LongRun[] = [{ length: 9, isOf: isOf(NUMERIC) }];
/** One of these is in every token that is looked for, or before it. */
const TOKENS: readonly LongRun[] = [
  { length: MAX_RUN, isOf: isOf(TOKEN) }, // a JSON web token, a secret
  { length: 4, isOf: isIn("AIKS") }, // AKIA, ASIA
  { length: 6, isOf: isIn("BEARbear") }, // Bearer, in any case
];
const KINDS = { number: NUMBERS, token: TOKENS };
export type MarkKind = keyof typeof KINDS;

/** For each block where the first run of a kind begins, as an offset from `BEFORE` bytes before the block. */
export type Marks = Readonly<Record<MarkKind, Uint8Array>>;

/** So many bytes at a time are in the kernel's memory, and a block of zeros; then the marks of each kind. */
const PIECE = 64 << 10;
const NUMBERS_AT = PIECE + BLOCK;
const TOKENS_AT = NUMBERS_AT + PIECE / BLOCK;
const PAGES = 2;

/** For fewer bytes the call costs more than it saves. */
const WORTH_MARKING = 512;

/** The kernel's locals: its argument, where it reads, and what it works with. */
const [SIZE, AT, BLOCK_NUMBER, BYTES, HERE, ACROSS, MARK, OTHER] = [0, 1, 2, 3, 4, 5, 6, 7];
/** Of each sixteen bytes of a block, the low halves and the bits of the high halves. */
const QUARTERS = [
  { low: 8, high: 12 },
  { low: 9, high: 13 },
  { low: 10, high: 14 },
  { low: 11, high: 15 },
];
/** Of each run, the bits of the block before. */
const PREVIOUS = new Map([...NUMBERS, ...TOKENS].map((long, n) => [long, 16 + n]));

const { run, memory } = kernel();

/**
 * Where, in the blocks of bytes from `from` on, long runs are, among which alone numbers and tokens can be. Sixteen bytes are
 * read at a time: what has no such run, as most text and most hashes, is passed over faster than JavaScript could.
 * @returns undefined where so few bytes are not worth it: anything may be in them
 */
export function runMarks(bytes: Buffer, from: number, to: number): Marks | undefined {
  if (to - from < WORTH_MARKING) return undefined;
  const count = Math.ceil((to - from) / BLOCK);
  const marks = { number: new Uint8Array(count), token: new Uint8Array(count) };
  // A piece begins with the last block of the one before, so that runs across are seen.
  for (let at = from, known = 0; known < count; at += PIECE - BLOCK) {
    const end = Math.min(at + PIECE, to);
    memory.set(bytes.subarray(at, end));
    memory.fill(0, end - at, end - at + BLOCK);
    const blocks = Math.ceil((end - at) / BLOCK);
    run(blocks * BLOCK);
    const first = at === from ? 0 : 1;
    marks.number.set(memory.subarray(NUMBERS_AT + first, NUMBERS_AT + blocks), known);
    marks.token.set(memory.subarray(TOKENS_AT + first, TOKENS_AT + blocks), known);
    known += blocks - first;
  }
  return marks;
}

/** Marks as many blocks as its argument says there are bytes: sixteen lanes for sixteen bytes, 64 bits for a block. */
function kernel() {
  const locals = [I32, I32, V128, I64, I64, I32, I32, ...Array(8).fill(V128), ...Array(PREVIOUS.size).fill(I64)];
  const halves = QUARTERS.flatMap(({ low, high }, n) => [
    ...set(low, v128.and(tee(BYTES, v128.load(get(AT), 16 * n)), v128.const(Array(16).fill(0x0f)))),
    ...set(high, v128.swizzle(v128.const(highBits()), v128.shiftRight(get(BYTES), i32.const(4)))),
  ]);
  const markAt = (address: number, kind: readonly LongRun[]): Code => [
    ...set(MARK, i32.const(NO_RUN)),
    ...kind.flatMap(findRun),
    ...i32.store8(get(BLOCK_NUMBER), get(MARK), address),
  ];
  return instance(
    PAGES,
    locals,
    loopWhile(
      i32.lessThan(tee(AT, i32.add(get(AT), i32.const(BLOCK))), get(SIZE)),
      halves,
      markAt(NUMBERS_AT, NUMBERS),
      markAt(TOKENS_AT, TOKENS),
      set(BLOCK_NUMBER, i32.add(get(BLOCK_NUMBER), i32.const(1))),
    ),
  );
}

/** Lowers the mark to where the first run begins, in the block or across its beginning. */
function findRun(long: LongRun): Code {
  const before = PREVIOUS.get(long) ?? 0;
  return [
    ...set(HERE, bitsOf(long)),
    ...set(ACROSS, i64.shiftRight(get(before), i64.const(BEFORE))),
    ...set(ACROSS, i64.or(get(ACROSS), i64.shiftLeft(tee(before, get(HERE)), i64.const(BLOCK - BEFORE)))),
    ...runsOf(long, HERE),
    ...runsOf(long, ACROSS),
    ...set(
      OTHER,
      select(
        i32.add(i32.wrap(i64.trailingZeros(get(HERE))), i32.const(BEFORE)),
        i32.wrap(i64.trailingZeros(get(ACROSS))),
        i64.isZero(get(ACROSS)),
      ),
    ),
    ...set(MARK, select(get(OTHER), get(MARK), i32.lessThan(get(OTHER), get(MARK)))),
  ];
}

/** A byte's high half as a bit; of what is not ASCII a row never has all of them. */
function highBits(): number[] {
  return Array.from({ length: 16 }, (_, high) => (high < 8 ? 1 << high : 0xff));
}

/**
 * A bit for each byte of the block: whether it is of the kind. It is if the row of its low half has the bit of its high half:
 * two look-ups, for any kind of ASCII.
 */
function bitsOf({ isOf: kind }: LongRun): Code {
  const rows = Array.from({ length: 16 }, (_, low) =>
    highBits().reduce((row, bit, high) => (high < 8 && kind((high << 4) | low) ? row | bit : row), 0),
  );
  return QUARTERS.map(({ low, high }, n) => {
    const row = v128.swizzle(v128.const(rows), get(low));
    const bits = v128.bitmask(v128.equal(v128.and(row, get(high)), get(high)));
    return i64.shiftLeft(i64.extend(bits), i64.const(16 * n));
  }).reduce(i64.or);
}

/** Leaves the bits from which on so many are set: what is known of how many are doubles at each step. */
function runsOf({ length }: LongRun, bits: number): Code {
  const code: number[] = [];
  for (let known = 1; known < length;) {
    const step = Math.min(known, length - known);
    code.push(...set(bits, i64.and(get(bits), i64.shiftRight(get(bits), i64.const(step)))));
    known += step;
  }
  return code;
}
