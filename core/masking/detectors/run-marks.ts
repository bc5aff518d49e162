import { CLASSES, NUMERIC, TOKEN } from "./byte-classes.ts";
import { I32, I64, V128, get, i32, i64, ifTrue, instance, loopWhile, set, tee, v128, type Code } from "../wasm.ts";

/** What is in every number that is looked for: so many bytes of its kind in a row. */
export const NUMBER_RUN = 9;
/** So many are in every JSON web token and every secret, */
export const TOKEN_RUN = 33;
/** and so many of the letters of AKIA and ASIA in an access key. */
export const KEY_RUN = 4;

/**
 * A bit for each byte of a stretch, the lowest of each word first.
 * `number`: so many bytes of a number's begin there. `token`: so many of a token's do, and a capital is in the same 64 bytes of
 * the stretch or the next; or the letters of an access key. `bearer`: as in `Bearer`, an R is three and five bytes on.
 */
export type Marks = Readonly<Record<"number" | "token" | "bearer", Uint32Array>>;
export type MarkKind = keyof Marks;

const BLOCK = 64;
/** Where things are in the kernel's memory: a block of zeros, so many bytes at a time, another block of zeros; then the marks. */
const PIECE = 64 << 10;
const MARK_BYTES = PIECE / 8 + 8;
const NUMBERS_AT = PIECE + 3 * BLOCK;
const TOKENS_AT = NUMBERS_AT + MARK_BYTES;
const BEARERS_AT = TOKENS_AT + MARK_BYTES;
const PAGES = 2;

/** For fewer bytes the call costs more than it saves. */
const WORTH_MARKING = 512;

/** The kernel's locals: its argument, where it reads; whether capitals, and an I, are in this block and in the one before. */
const [SIZE, AT, CAPITALS, CAPITALS_BEFORE, I, I_BEFORE] = [0, 1, 2, 3, 4, 5];
/** The bits of this block's bytes and of those before, by what they are of; what it works with; what it has found. */
const [NUMBER, NUMBER_BEFORE, TOKENS, TOKENS_BEFORE, R, R_BEFORE] = [6, 7, 8, 9, 10, 11];
const [KEY, KEY_BEFORE, LOW, HIGH, FOUND] = [12, 13, 14, 15, 16];
/** Of each sixteen bytes of a block: themselves, their low halves, and the bits of their high halves. */
const QUARTERS = [0, 1, 2, 3].map((n) => ({ bytes: 17 + n, low: 21 + n, high: 25 + n }));
const LOCALS = [...Array(5).fill(I32), ...Array(11).fill(I64), ...Array(12).fill(V128)];

const [CAPITAL_A, CAPITAL_I, SMALL_R] = [0x41, 0x49, 0x72];

/** Constants are read from memory, behind the marks: WebAssembly's own are put together anew at each use. */
const CONSTANTS_AT = BEARERS_AT + MARK_BYTES;
const constants: number[][] = [];

const { run, memory } = kernel();
for (const [n, bytes] of constants.entries()) memory.set(bytes, CONSTANTS_AT + 16 * n);
const words = new Uint32Array(memory.buffer);

/**
 * Where, in the bytes from `from` on, long runs are, among which alone numbers and tokens can be. Sixteen bytes are read at a
 * time: what has no such run, as most text and most hashes, is passed over faster than JavaScript could.
 * @returns undefined where so few bytes are not worth it: anything may be in them
 */
export function runMarks(bytes: Buffer, from: number, to: number): Marks | undefined {
  if (to - from < WORTH_MARKING) return undefined;
  const length = 2 * Math.ceil((to - from) / BLOCK);
  const marks = { number: new Uint32Array(length), token: new Uint32Array(length), bearer: new Uint32Array(length) };
  // A piece begins with the last block of the one before, which was marked without a look at what follows it.
  for (let at = from, known = 0; ; at += PIECE - BLOCK) {
    const end = Math.min(at + PIECE, to);
    memory.set(bytes.subarray(at, end), BLOCK);
    memory.fill(0, BLOCK + end - at, 3 * BLOCK + end - at);
    const blocks = Math.ceil((end - at) / BLOCK);
    run((blocks + 1) * BLOCK);
    const markedAt = (address: number): Uint32Array => words.subarray(address / 4, address / 4 + 2 * blocks);
    marks.number.set(markedAt(NUMBERS_AT), known);
    marks.token.set(markedAt(TOKENS_AT), known);
    marks.bearer.set(markedAt(BEARERS_AT), known);
    known += 2 * (blocks - 1);
    if (end === to) return marks;
  }
}

/** The first set bit from `at` on; Infinity if there is none. */
export function nextMark(marks: Uint32Array, at: number): number {
  let word = at >>> 5;
  let bits = (marks[word] ?? 0) & (-1 << (at & 31));
  while (bits === 0) {
    if (++word >= marks.length) return Infinity;
    bits = marks[word] as number;
  }
  return 32 * word + 31 - Math.clz32(bits & -bits);
}

/** Marks each block when the one behind it has been read: sixteen lanes for sixteen bytes, 64 bits for a block. */
function kernel() {
  const moved = (now: number, before: number, value: Code): Code => [...set(before, get(now)), ...set(now, value)];
  const mark = (address: number, value: Code): Code =>
    i64.store(i32.shiftRight(get(AT), i32.const(3)), value, address - BLOCK / 8);
  return instance(
    PAGES,
    LOCALS,
    loopWhile(
      i32.lessThan(tee(AT, i32.add(get(AT), i32.const(BLOCK))), get(SIZE)),
      readBlock(BLOCK),
      moved(NUMBER, NUMBER_BEFORE, bitsOf(isOf(NUMERIC))),
      runsOf(NUMBER_RUN, NUMBER_BEFORE, NUMBER),
      mark(NUMBERS_AT, get(LOW)),
      moved(
        R,
        R_BEFORE,
        bitsWhere(({ bytes }) => v128.equal(v128.or(get(bytes), each(0x20)), each(SMALL_R))),
      ),
      mark(BEARERS_AT, i64.and(ahead(R_BEFORE, R, 3), ahead(R_BEFORE, R, 5))),
      moved(TOKENS, TOKENS_BEFORE, bitsOf(isOf(TOKEN))),
      moved(
        CAPITALS,
        CAPITALS_BEFORE,
        anyWhere((bytes) => v128.lessThan(v128.subtract(bytes, each(CAPITAL_A)), each(26))),
      ),
      moved(
        I,
        I_BEFORE,
        anyWhere((bytes) => v128.equal(bytes, each(CAPITAL_I))),
      ),
      set(FOUND, i64.const(0)),
      ifTrue(
        i32.or(get(CAPITALS), get(CAPITALS_BEFORE)),
        runsOf(TOKEN_RUN, TOKENS_BEFORE, TOKENS),
        set(FOUND, get(LOW)),
      ),
      ifTrue(
        i32.or(get(I), get(I_BEFORE)),
        readBlock(0),
        set(KEY_BEFORE, bitsOf(isIn("AIKS"))),
        readBlock(BLOCK),
        set(KEY, bitsOf(isIn("AIKS"))),
        runsOf(KEY_RUN, KEY_BEFORE, KEY),
        set(FOUND, i64.or(get(FOUND), get(LOW))),
      ),
      mark(TOKENS_AT, get(FOUND)),
    ),
  );
}

function isOf(classes: number) {
  return (byte: number): boolean => ((CLASSES[byte] ?? 0) & classes) !== 0;
}

function isIn(letters: string) {
  return (byte: number): boolean => letters.includes(String.fromCharCode(byte));
}

function constant(bytes: number[]): Code {
  const known = constants.findIndex((other) => other.join() === bytes.join());
  return v128.load(i32.const(0), CONSTANTS_AT + 16 * (known < 0 ? constants.push(bytes) - 1 : known));
}

function each(byte: number): Code {
  return constant(Array(16).fill(byte));
}

/** Reads the block at `AT`, or, with a block's length as `offset`, the one at `AT` where the zeros before it are left out. */
function readBlock(offset: number): Code {
  return QUARTERS.flatMap(({ bytes, low, high }, n) => [
    ...set(low, v128.and(tee(bytes, v128.load(get(AT), offset + 16 * n)), each(0x0f))),
    ...set(high, v128.swizzle(constant(highBits()), v128.shiftRight(get(bytes), i32.const(4)))),
  ]);
}

/** A byte's high half as a bit; of what is not ASCII a row never has all of them. */
function highBits(): number[] {
  return Array.from({ length: 16 }, (_, high) => (high < 8 ? 1 << high : 0xff));
}

type Quarter = (typeof QUARTERS)[number];

/** A bit for each byte of the block, from a mask of each quarter. */
function bitsWhere(maskOf: (quarter: Quarter) => Code): Code {
  return QUARTERS.map((quarter, n) =>
    i64.shiftLeft(i64.extend(v128.bitmask(maskOf(quarter))), i64.const(16 * n)),
  ).reduce(i64.or);
}

/** Whether any byte of the block is what the masks tell. */
function anyWhere(maskOf: (bytes: Code) => Code): Code {
  return v128.anyTrue(QUARTERS.map(({ bytes }) => maskOf(get(bytes))).reduce(v128.or));
}

/**
 * A bit for each byte of the block: whether it is of a kind. It is if the row of its low half has the bit of its high half:
 * two look-ups, for any kind of ASCII.
 */
function bitsOf(kind: (byte: number) => boolean): Code {
  const rows = Array.from({ length: 16 }, (_, low) =>
    highBits().reduce((row, bit, high) => (high < 8 && kind((high << 4) | low) ? row | bit : row), 0),
  );
  return bitsWhere(({ low, high }) =>
    v128.equal(v128.and(v128.swizzle(constant(rows), get(low)), get(high)), get(high)),
  );
}

/** The bits of 64 bytes that begin so many behind the block before. */
function ahead(before: number, now: number, by: number): Code {
  return i64.or(i64.shiftRight(get(before), i64.const(by)), i64.shiftLeft(get(now), i64.const(BLOCK - by)));
}

/** Leaves in `LOW` the bits of the block before from which on so many are set: what is known of how many are doubles at each step. */
function runsOf(length: number, before: number, now: number): Code {
  const code: number[] = [...set(LOW, get(before)), ...set(HIGH, get(now))];
  for (let known = 1; known < length;) {
    const step = Math.min(known, length - known);
    code.push(...set(LOW, i64.and(get(LOW), ahead(LOW, HIGH, step))));
    code.push(...set(HIGH, i64.and(get(HIGH), i64.shiftRight(get(HIGH), i64.const(step)))));
    known += step;
  }
  return code;
}
