import { expect } from "vitest";

/** A Query or a Parse as the protocol has it (§55.7), every length right. */
export function expectWellFormed(message: Buffer): void {
  expect(message.readUInt32BE(1)).toBe(message.length - 1);
  if (message[0] === 0x51) {
    expect(message.at(-1)).toBe(0);
  } else {
    const query = message.indexOf(0, message.indexOf(0, 5) + 1);
    expect(message.length).toBe(query + 3 + 4 * message.readUInt16BE(query + 1));
  }
}
