import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { SallyportError } from "../../../core/errors.ts";
import { parseStartup, startupLength } from "../../../gateway-task/postgres/startup.ts";

const word = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};
const packet = (code: number, body: Buffer | string = ""): Buffer =>
  Buffer.concat([word(8 + Buffer.byteLength(body)), word(code), Buffer.from(body)]);
const version = (major: number, minor: number): number => major * 0x10000 + minor;

const SSL = 80877103;
const GSS = 80877104;
const CANCEL = 80877102;

/** The code of what is thrown; anything but a SallyportError is a failure of the test. */
function refusal(act: () => unknown): string | undefined {
  try {
    act();
    return undefined;
  } catch (thrown) {
    expect(thrown).toBeInstanceOf(SallyportError);
    return thrown instanceof SallyportError ? thrown.code : undefined;
  }
}

describe("the length of a start-up packet", () => {
  test.each([0, 1, 4, 7, 10_001, 0x16030100, 0x7fffffff, 2 ** 31, 0xffffffff])("%i is refused", (length) => {
    expect(refusal(() => startupLength(word(length)))).toBe("protocol-violation");
  });

  test.each([8, 14, 9_999, 10_000])("%i is taken", (length) => {
    expect(startupLength(word(length))).toBe(length);
  });
});

describe("start-up packets", () => {
  test("random bytes are understood or refused, and nothing else is thrown", () => {
    const codes = fc.constantFrom(SSL, GSS, CANCEL, version(3, 0), version(3, 2), version(2, 0), 0, 0xffffffff);
    fc.assert(
      fc.property(fc.oneof(codes, fc.nat()), fc.uint8Array({ maxLength: 400 }), (code, body) => {
        refusal(() => parseStartup(packet(code, Buffer.from(body))));
      }),
      { numRuns: 2_000 },
    );
  });

  test("any prefix of a good packet is refused, at every byte, with its length put right", () => {
    const whole = packet(version(3, 0), "user\0ana\0database\0shop\0\0");
    for (let end = 8; end < whole.length; end++) {
      const cut = Buffer.concat([word(end), whole.subarray(4, end)]);
      expect(
        refusal(() => parseStartup(cut)),
        `${end} bytes`,
      ).toBe("protocol-violation");
    }
    expect(refusal(() => parseStartup(whole))).toBeUndefined();
  });

  test("parameters are read as they were written, the last of a name wins, and _pq_ options stand apart", () => {
    const text = fc.string({ unit: "binary", minLength: 1, maxLength: 20 }).map((s) => s.replaceAll("\0", "-"));
    const name = fc.oneof(text, fc.constantFrom("__proto__", "constructor", "user", "toString"));
    fc.assert(
      fc.property(fc.array(fc.tuple(name, text), { maxLength: 60 }), fc.nat(0xffff), (pairs, minor) => {
        const body = `${pairs.map(([key, value]) => `${key}\0${value}\0`).join("")}_pq_.x\0\0\0`;
        const read = parseStartup(packet(version(3, minor), body));
        expect(read).toEqual({ kind: "startup", minor, parameters: new Map(pairs), protocolOptions: ["_pq_.x"] });
      }),
    );
  });

  test("more parameters than anyone sends are refused", () => {
    const many = (count: number): Buffer =>
      packet(version(3, 0), `${Array.from({ length: count }, (_, n) => `p${n}\0v\0`).join("")}\0`);
    expect(refusal(() => parseStartup(many(128)))).toBeUndefined();
    expect(refusal(() => parseStartup(many(129)))).toBe("protocol-violation");
  });

  test.each([version(1, 0), version(2, 0), version(4, 0), 0, 1])("protocol code %i is not supported", (code) => {
    expect(refusal(() => parseStartup(packet(code, "\0")))).toBe("feature-not-supported");
  });

  test.each([SSL, GSS])("an encryption request (%i) has no body", (code) => {
    expect(parseStartup(packet(code)).kind).toBe(code === SSL ? "ssl-request" : "gss-request");
    for (const body of ["\0", "\0\0\0\0\0\0", "x".repeat(100)])
      expect(refusal(() => parseStartup(packet(code, body)))).toBe("protocol-violation");
  });

  test("a cancel request has a secret of 4 to 256 bytes", () => {
    for (const length of [4, 32, 256]) {
      const secret = Buffer.alloc(length, 7);
      const request = packet(CANCEL, Buffer.concat([word(0xfffffffe), secret]));
      expect(parseStartup(request)).toEqual({ kind: "cancel-request", processId: -2, secret });
    }
    for (const length of [0, 1, 3, 257, 9_000])
      expect(refusal(() => parseStartup(packet(CANCEL, Buffer.alloc(4 + length))))).toBe("protocol-violation");
    expect(refusal(() => parseStartup(packet(CANCEL)))).toBe("protocol-violation");
  });
});
