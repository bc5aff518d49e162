import { isUtf8 } from "node:buffer";

/** Text from the wire: as UTF-8 where it is that, else a character a byte, so that nothing is lost to a wrong guess. */
export function wireText(bytes: Buffer, start: number, end: number): string {
  const text = bytes.toString("utf8", start, end);
  if (!text.includes("\ufffd") || isUtf8(bytes.subarray(start, end))) return text;
  return bytes.toString("latin1", start, end);
}

/** The same, of bytes that were cut at `end`: a character that the cut has split is left out. */
export function cutWireText(bytes: Buffer, start: number, end: number): string {
  let whole = end;
  while (whole > start && end - whole < 3 && ((bytes[whole - 1] as number) & 0xc0) === 0x80) whole--;
  const lead = whole > start ? (bytes[whole - 1] as number) : 0;
  const wanted = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
  return wireText(bytes, start, end - whole + 1 < wanted ? whole - 1 : end);
}

/** Bytes up to which a text is remembered. */
const MAX_REMEMBERED = 64;

/** Texts that are mostly the same as the last one, such as a name or a command tag: that one is not decoded again. */
export class RepeatedText {
  readonly #bytes = new Uint8Array(MAX_REMEMBERED);
  #length = 0;
  #text = "";

  /** What `wireText` answers. */
  read(bytes: Buffer, start: number, end: number): string {
    const length = end - start;
    if (length <= 0) return "";
    if (length === this.#length && this.#isAt(bytes, start)) return this.#text;
    const text = wireText(bytes, start, end);
    if (length > MAX_REMEMBERED) return text;
    for (let i = 0; i < length; i++) this.#bytes[i] = bytes[start + i] as number;
    this.#length = length;
    this.#text = text;
    return text;
  }

  #isAt(bytes: Buffer, start: number): boolean {
    for (let i = 0; i < this.#length; i++) if (this.#bytes[i] !== bytes[start + i]) return false;
    return true;
  }
}

/** Where the NUL-terminated string at `start` ends (§54.2), at most at `end`. */
export function stringEnd(bytes: Buffer, start: number, end: number): number {
  let at = start;
  while (at < end && bytes[at] !== 0) at++;
  return at;
}
