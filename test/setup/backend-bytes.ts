/** Messages of a PostgreSQL server (PostgreSQL 18 §54.7), byte by byte. */

export function message(tag: string, ...parts: readonly (Buffer | string)[]): Buffer {
  const body = Buffer.concat(parts.map((part) => Buffer.from(part)));
  const header = Buffer.alloc(5);
  header.write(tag, "latin1");
  header.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([header, body]);
}

const int16 = (value: number): Buffer => {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
};
const int32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
};

export interface Field {
  readonly name: string;
  readonly type: number;
  readonly format?: 0 | 1;
}

export function rowDescription(...fields: readonly Field[]): Buffer {
  const parts = fields.flatMap(({ name, type, format = 0 }) => [
    `${name}\0`,
    int32(0),
    int16(0),
    int32(type),
    int16(0xffff),
    int32(-1),
    int16(format),
  ]);
  return message("T", int16(fields.length), ...parts);
}

export function dataRow(...values: readonly (Buffer | string | null)[]): Buffer {
  const parts = values.flatMap((value) => (value === null ? [int32(-1)] : [int32(Buffer.byteLength(value)), value]));
  return message("D", int16(values.length), ...parts);
}

export const commandComplete = (tag: string): Buffer => message("C", `${tag}\0`);
export const readyForQuery = (): Buffer => message("Z", "I");
export const errorResponse = (code: string, text: string): Buffer =>
  message("E", `SERROR\0VERROR\0C${code}\0M${text}\0\0`);
export const copyOutResponse = (binary: boolean): Buffer => message("H", Buffer.from([binary ? 1 : 0]), int16(0));
export const copyData = (data: Buffer | string): Buffer => message("d", data);
