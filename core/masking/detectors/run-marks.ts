import { CLASSES, NUMERIC, TOKEN } from "./byte-classes.ts";
import { I32, I64, V128, get, i32, i64, ifTrue, instance, loopWhile, set, tee, v128, type Code } from "../wasm.ts";

/** What is in every number that is looked for: so many bytes of its kind in a row. */
export const NUMBER_RUN = 9;
/** So many are in every JSON web token and every secret, */
export const TOKEN_RUN = 33;
/** and so many of the letters of AKIA and ASIA in an access key. */
export const KEY_RUN = 4;

/**
 * Bytes of a stretch that are marked, as pairs of the first and the last of each run of them, in order.
 * `number`: so many bytes of a number's begin there. `token`: so many of a token's do, and a capital is in the same 64 bytes of
 * the stretch or the next; or the letters of an access key. `bearer`: as in `Bearer`, an R is three and five bytes on.
 */
export type Marks = Readonly<Record<"number" | "token" | "bearer", readonly number[]>>;
export type MarkKind = keyof Marks;

const BLOCK = 64;
/** Where things are in the kernel's memory: a block of zeros, so many bytes at a time, another block of zeros; then the marks. */
const PIECE = 64 << 10;
const MARK_BYTES = PIECE / 8 + 8;
const NUMBERS_AT = PIECE + 3 * BLOCK;
const TOKENS_AT = NUMBERS_AT + MARK_BYTES;
const BEARERS_AT = TOKENS_AT + MARK_BYTES;
/** The numbers of the blocks in which anything is marked, and before them how many those are. */
const MARKED_AT = BEARERS_AT + MARK_BYTES;
const PAGES = 2;

/** For fewer bytes the call costs more than it saves. */
const WORTH_MARKING = 512;
/** More bytes are one value, most likely, of which one mark is enough; and of marks as dense as this a look at each is no help. */
const MOST_MARKED = 1 << 20;
const BYTES_A_MARK = 32;

/** The kernel's locals: its argument, where it reads; whether capitals, and an I, are in this block and in the one before. */
const [SIZE, AT, CAPITALS, CAPITALS_BEFORE, I, I_BEFORE] = [0, 1, 2, 3, 4, 5];
/** The bits of this block's bytes and of those before, by what they are of; what it works with; what it has found. */
const [NUMBER, NUMBER_BEFORE, TOKENS, TOKENS_BEFORE, R, R_BEFORE] = [6, 7, 8, 9, 10, 11];
const [KEY, KEY_BEFORE, LOW, HIGH, FOUND] = [12, 13, 14, 15, 16];
/** Where in its list of marked blocks the next goes; which bits of a block are marked, of any kind. */
const [MARKED, MARK] = [29, 30];
/** Of each sixteen bytes of a block: themselves, their low halves, and the bits of their high halves. */
const QUARTERS = [0, 1, 2, 3].map((n) => ({ bytes: 17 + n, low: 21 + n, high: 25 + n }));
const LOCALS = [...Array(5).fill(I32), ...Array(11).fill(I64), ...Array(12).fill(V128), I32, I64];

const [CAPITAL_A, CAPITAL_I, SMALL_R] = [0x41, 0x49, 0x72];

/** Constants are read from memory, behind the marks: WebAssembly's own are put together anew at each use. */
const CONSTANTS_AT = MARKED_AT + 16 + 4 * (PIECE / BLOCK + 1);
const constants: number[][] = [];

const { run, memory } = kernel();
for (const [n, bytes] of constants.entries()) memory.set(bytes, CONSTANTS_AT + 16 * n);
const words = new Uint32Array(memory.buffer);

/**
 * Where, in the bytes from `from` on, long runs are, among which alone numbers and tokens can be. Sixteen bytes are read at a
 * time: what has no such run, as most text and most hashes, is passed over faster than JavaScript could.
 * @returns undefined where it is not worth it, as with few bytes, or too many marks: anything may be in them
 */
export function runMarks(bytes: Buffer, from: number, to: number): Marks | undefined {
  if (to - from < WORTH_MARKING || to - from > MOST_MARKED) return undefined;
  const marks: Record<MarkKind, number[]> = { number: [], token: [], bearer: [] };
  const most = (2 * (to - from)) / BYTES_A_MARK;
  // A piece begins with the last block of the one before, which was marked without a look at what follows it.
  for (let at = from; ; at += PIECE - BLOCK) {
    const end = Math.min(at + PIECE, to);
    memory.set(bytes.subarray(at, end), BLOCK);
    memory.fill(0, BLOCK + end - at, 3 * BLOCK + end - at);
    const blocks = Math.ceil((end - at) / BLOCK);
    run((blocks + 1) * BLOCK);
    const last = end === to ? blocks : blocks - 1;
    const list = MARKED_AT / 4;
    for (let n = 1; n <= (words[list] as number); n++) {
      const block = words[list + n] as number;
      // Not of the zeros before the first, and not of one that the next piece begins with.
      if (block >= last) continue;
      addMarks(marks, block, at - from + BLOCK * block);
      if (marks.number.length + marks.token.length + marks.bearer.length > most) return undefined;
    }
    if (end === to) return marks;
  }
}

function addMarks({ number, token, bearer }: Record<MarkKind, number[]>, block: number, offset: number): void {
  for (let half = 0; half < 2; half++) {
    const word = 2 * block + half;
    addBits(number, words[NUMBERS_AT / 4 + word] as number, offset + 32 * half);
    addBits(token, words[TOKENS_AT / 4 + word] as number, offset + 32 * half);
    addBits(bearer, words[BEARERS_AT / 4 + word] as number, offset + 32 * half);
  }
}

function addBits(marks: number[], word: number, offset: number): void {
  let at = 0;
  for (let bits = word; bits !== 0; bits = at < 32 ? (word >>> at) << at : 0) {
    const first = 31 - Math.clz32(bits & -bits);
    const behind = ~bits & (-1 << first);
    at = behind === 0 ? 32 : 31 - Math.clz32(behind & -behind);
    marks.push(offset + first, offset + at - 1);
  }
}

/** The first marked byte from `at` on; Infinity if there is none. */
export function nextMark(marks: readonly number[], at: number): number {
  let [low, high] = [0, marks.length / 2];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((marks[2 * middle + 1] as number) < at) low = middle + 1;
    else high = middle;
  }
  return 2 * low < marks.length ? Math.max(at, marks[2 * low] as number) : Infinity;
}

/** Marks each block when the one behind it has been read: sixteen lanes for sixteen bytes, 64 bits for a block. */
function kernel() {
  const moved = (now: number, before: number, value: Code): Code => [...set(before, get(now)), ...set(now, value)];
  const mark = (address: number, value: Code): Code =>
    i64.store(i32.shiftRight(get(AT), i32.const(3)), value, address - BLOCK / 8);
  return instance(PAGES, LOCALS, [
    ...loopWhile(
      i32.lessThan(tee(AT, i32.add(get(AT), i32.const(BLOCK))), get(SIZE)),
      readBlock(BLOCK),
      moved(NUMBER, NUMBER_BEFORE, bitsOf(isOf(NUMERIC))),
      runsOf(NUMBER_RUN, NUMBER_BEFORE, NUMBER),
      mark(NUMBERS_AT, get(LOW)),
      set(MARK, get(LOW)),
      moved(
        R,
        R_BEFORE,
        bitsWhere(({ bytes }) => v128.equal(v128.or(get(bytes), each(0x20)), each(SMALL_R))),
      ),
      set(LOW, i64.and(ahead(R_BEFORE, R, 3), ahead(R_BEFORE, R, 5))),
      mark(BEARERS_AT, get(LOW)),
      set(MARK, i64.or(get(MARK), get(LOW))),
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
      i32.store(get(MARKED), i32.add(i32.shiftRight(get(AT), i32.const(6)), i32.const(-1)), MARKED_AT + 4),
      set(
        MARKED,
        i32.add(get(MARKED), i32.shiftLeft(i64.differs(i64.or(get(MARK), get(FOUND)), i64.const(0)), i32.const(2))),
      ),
    ),
    ...i32.store(i32.const(0), i32.shiftRight(get(MARKED), i32.const(2)), MARKED_AT),
  ]);
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
