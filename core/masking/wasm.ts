/** WebAssembly, as much of it as a loop over bytes needs (WebAssembly Core Specification 2.0, §5.4), in its text format's words. */
export type Code = readonly number[];

export const I32 = 0x7f;
export const I64 = 0x7e;
export const V128 = 0x7b;

export const get = (local: number): Code => [0x20, local];
export const set = (local: number, value: Code): Code => [...value, 0x21, local];
export const tee = (local: number, value: Code): Code => [...value, 0x22, local];
export const ifTrue = (condition: Code, ...body: readonly Code[]): Code => [
  ...condition,
  0x04,
  0x40,
  ...body.flat(),
  0x0b,
];
/** Runs its body, and again as long as the condition holds. */
export const loopWhile = (condition: Code, ...body: readonly Code[]): Code => [
  0x03,
  0x40,
  ...body.flat(),
  ...condition,
  0x0d,
  0,
  0x0b,
];

type Binary = (a: Code, b: Code) => Code;
const binary =
  (...opcode: readonly number[]): Binary =>
  (a, b) => [...a, ...b, ...opcode];

export const i32 = {
  const: (value: number): Code => [0x41, ...signed(BigInt(value))],
  lessThan: binary(0x49),
  add: binary(0x6a),
  or: binary(0x72),
  shiftLeft: binary(0x74),
  shiftRight: binary(0x76),
  store: (address: Code, value: Code, offset: number): Code => [...address, ...value, 0x36, 2, ...unsigned(offset)],
};

export const i64 = {
  const: (value: number): Code => [0x42, ...signed(BigInt(value))],
  and: binary(0x83),
  or: binary(0x84),
  shiftLeft: binary(0x86),
  shiftRight: binary(0x88),
  extend: (value: Code): Code => [...value, 0xad],
  /** 1 or 0. */
  differs: binary(0x52),
  store: (address: Code, value: Code, offset: number): Code => [...address, ...value, 0x37, 3, ...unsigned(offset)],
};

export const v128 = {
  load: (address: Code, offset: number): Code => [...address, ...simd(0x00), 0, ...unsigned(offset)],
  store: (address: Code, value: Code, offset: number): Code => [
    ...address,
    ...value,
    ...simd(0x0b),
    0,
    ...unsigned(offset),
  ],
  const: (bytes: readonly number[]): Code => [...simd(0x0c), ...bytes],
  and: binary(...simd(0x4e)),
  /** Of each byte of the second, all below 16, the byte of the first that it points to. */
  swizzle: binary(...simd(0x100)),
  equal: binary(...simd(0x23)),
  lessThan: binary(...simd(0x26)),
  subtract: binary(...simd(0x71)),
  anyTrue: (value: Code): Code => [...value, ...simd(0x53)],
  shiftRight: binary(...simd(0x6d)),
  /** Each byte's highest bit. */
  bitmask: (value: Code): Code => [...value, ...simd(0x64)],
  or: binary(...simd(0x50)),
  xor: binary(...simd(0x51)),
  /** Of the sixteen bytes of each, those that the list points to: 0 to 15 are the first's. */
  shuffle: (a: Code, b: Code, from: readonly number[]): Code => [...a, ...b, ...simd(0x0d), ...from],
};

/** Four words of 32 bits. */
export const i32x4 = {
  const: (words: readonly number[]): Code => v128.const([...Buffer.from(Uint32Array.from(words).buffer)]),
  add: binary(...simd(0xae)),
  shiftLeft: binary(...simd(0xab)),
  shiftRight: binary(...simd(0xad)),
  /** The words at four offsets from one address. */
  gather: (address: Code, [first = 0, ...others]: readonly number[]): Code =>
    others.reduce<Code>(
      (words, offset, n) => [...address, ...words, ...simd(0x56), 2, ...unsigned(offset), n + 1],
      [...address, ...simd(0x5c), 2, ...unsigned(first)],
    ),
};

function simd(opcode: number): Code {
  return [0xfd, ...unsigned(opcode)];
}

export interface Instance {
  readonly run: (argument: number) => void;
  readonly memory: Uint8Array;
}

/** What a runtime without a browser's types has of the WebAssembly JavaScript Interface. */
declare const WebAssembly: {
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object) => { readonly exports: Readonly<Record<"run" | "memory", unknown>> };
};

/** One function of one i32, local 0, with further locals of the given types; and its memory, in pages of 64 KiB. */
export function instance(pages: number, locals: readonly number[], body: Code): Instance {
  const code = [...unsigned(locals.length), ...locals.flatMap((type) => [1, type]), ...body, 0x0b];
  const name = (text: string): number[] => [text.length, ...Buffer.from(text)];
  const bytes = Uint8Array.from([
    ...Buffer.from("\0asm\x01\0\0\0", "latin1"),
    ...section(1, [0x60, 1, I32, 0]),
    ...section(3, [0]),
    ...section(5, [0, pages]),
    ...section(7, [...name("run"), 0, 0], [...name("memory"), 2, 0]),
    ...section(10, [...unsigned(code.length), ...code]),
  ]);
  const { run, memory } = new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports;
  return {
    run: run as (argument: number) => void,
    memory: new Uint8Array((memory as { readonly buffer: ArrayBuffer }).buffer),
  };
}

function section(id: number, ...items: readonly (readonly number[])[]): number[] {
  const body = [...unsigned(items.length), ...items.flat()];
  return [id, ...unsigned(body.length), ...body];
}

/** LEB128 (§5.2.2). */
function unsigned(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(value >>> 7)];
}

function signed(value: bigint): number[] {
  const low = Number(value & 0x7fn);
  const rest = value >> 7n;
  return rest === ((low & 0x40) === 0 ? 0n : -1n) ? [low] : [low | 0x80, ...signed(rest)];
}
