import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { OutputMasker } from "../../../../gateway-task/ssh/masking/output-masker.ts";
import { SessionMasks } from "../../../../gateway-task/ssh/masking/session-masks.ts";
import { FOUND } from "../../../core/masking/detector-vectors.ts";
import { detecting, maskingOf, STYLES } from "../../../core/masking/kit.ts";
import { ssh } from "../../../setup/ssh-bytes.ts";
import { maskedOutput, shownOf } from "./output-kit.ts";

const full = detecting("full");
const stars = (text: string): string => "*".repeat(Buffer.byteLength(text));
const CUSTOM = { name: "customers", detect: "custom", pattern: "CUST-[0-9]{8}", contains: "CUST-", style: "hash" };
const custom = maskingOf({ detectors: [{ name: "mails", detect: "email", style: "full" }, CUSTOM] });

/** Sequences that leave the cursor where it is. */
const ESCAPES = [
  "\x1b[m",
  "\x1b[01;31m",
  "\x1b[38;5;200m",
  "\x1b[K",
  "\x1b[?2004h",
  "\x1b(B",
  "\x0f",
  "\x1b]0;a title\x07",
  "\x1b]8;;https://x.test\x1b\\",
  "\x1bP+q544e\x1b\\",
  "\x1b=",
];
const WORDS = ["the", "of 2026-11-25", "x=1,", "DE", "4111", "(202)", "jörg", "key:", "a.b", "42 42", "---", '"q"'];
const VALUES = FOUND.map(([, value]) => value).filter((value) => !value.includes("\n"));

/** Lines of text with values in them, as bytes of its characters and of values. */
const lines = fc
  .array(fc.array(fc.constantFrom(...WORDS, ...VALUES, " "), { maxLength: 6 }), { minLength: 1, maxLength: 4 })
  .map((text) => text.map((words) => words.join(" ")).join("\r\n"));

/** Bytes taken apart at some places. */
function pieces(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const at = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).toSorted((a, b) => a - b), bytes.length];
  return at.slice(1).map((end, n) => bytes.subarray(at[n], end));
}

/** With escape sequences between its bytes. */
function dressed(text: Buffer, inserted: readonly (readonly [number, string])[]): Buffer {
  const cuts = inserted.map(([cut]) => cut);
  const parts = pieces(text, cuts);
  return Buffer.concat(parts.flatMap((part, n) => [part, Buffer.from(inserted[n]?.[1] ?? "")]));
}

const undressed = (text: string): string => {
  let plain = text;
  for (const escape of ESCAPES.toSorted((a, b) => b.length - a.length)) plain = plain.replaceAll(escape, "");
  return plain;
};

describe("what a command shows", () => {
  it.each(FOUND)("has no %s: %j", (rule, value) => {
    const text = `before ${value} behind\r\n`;
    const output = maskedOutput(full);
    output.show(text);
    output.send(ssh.eof(0));
    expect(output.client).toHaveLength(Buffer.byteLength(text));
    expect(output.client.replaceAll(/\*+/g, "*").replaceAll(/[\r\n]+/g, "")).toMatch(/^before [*"\\n]+ behind$/);
    expect(output.counts()).toMatchObject({ [rule]: expect.any(Number) });
  });

  it("is the same however it is split into messages", () => {
    const split = fc.property(lines, fc.array(fc.nat(), { maxLength: 12 }), (text, cuts) => {
      const bytes = Buffer.from(text);
      for (const masking of [full, custom])
        expect(shownOf(masking, pieces(bytes, cuts))).toBe(shownOf(masking, [Buffer.from(bytes)]));
    });
    fc.assert(split, { numRuns: 400 });
  });

  it("is the same byte by byte", () => {
    fc.assert(
      fc.property(lines, fc.constantFrom(...STYLES), (text, style) => {
        const masking = detecting(style);
        const bytes = Buffer.from(text);
        const singly = Array.from(bytes, (byte) => Buffer.of(byte));
        expect(shownOf(masking, singly)).toBe(shownOf(masking, [Buffer.from(bytes)]));
      }),
      { numRuns: 60 },
    );
  });

  it("is the same whatever escape sequences stand in it, and they stay", () => {
    const inserted = fc.array(fc.tuple(fc.nat(), fc.constantFrom(...ESCAPES)), { maxLength: 6 });
    const property = fc.property(lines, inserted, fc.array(fc.nat(), { maxLength: 6 }), (text, escapes, cuts) => {
      const sorted = escapes.map(([cut, escape]) => [cut % (Buffer.byteLength(text) + 1), escape] as const);
      const bytes = dressed(
        Buffer.from(text),
        sorted.toSorted(([a], [b]) => a - b),
      );
      const shown = shownOf(full, pieces(bytes, cuts));
      expect(shown).toHaveLength(bytes.length);
      expect(undressed(shown)).toBe(shownOf(full, [Buffer.from(text)]));
    });
    fc.assert(property, { numRuns: 400 });
  });

  it("is changed nowhere but in values", () => {
    const property = fc.property(lines, fc.array(fc.nat(), { maxLength: 6 }), (text, cuts) => {
      const shown = shownOf(full, pieces(Buffer.from(text), cuts));
      const bytes = Buffer.from(text).toString("latin1");
      expect(Array.from(shown).every((byte, at) => byte === "*" || byte === bytes[at])).toBe(true);
    });
    fc.assert(property, { numRuns: 200 });
  });

  it("keeps every byte of what holds no value, whatever it is", () => {
    const nothing = maskingOf({
      detectors: [{ name: "c", detect: "custom", pattern: "NEVER-[0-9]+", contains: "NEVER-", style: "full" }],
    });
    const bytes = fc.uint8Array({ maxLength: 3_000 });
    fc.assert(
      fc.property(bytes, fc.array(fc.nat(), { maxLength: 5 }), (data, cuts) => {
        expect(shownOf(nothing, pieces(Buffer.from(data), cuts))).toBe(Buffer.from(data).toString("latin1"));
      }),
    );
  });

  it("has values masked in lines of any length", () => {
    const text = `${"word ".repeat(9_000)}alice@example.com ${"word ".repeat(9_000)}bob@example.com`;
    const masked = text.replaceAll(/\w+@example.com/g, stars);
    expect(shownOf(full, [Buffer.from(text)])).toBe(masked);
    const apart = Array.from({ length: Math.ceil(text.length / 1_000) }, (_, n) => text.slice(n * 1_000, (n + 1) * 1_000)); // prettier-ignore
    expect(shownOf(full, apart.map((part) => Buffer.from(part)))).toBe(masked); // prettier-ignore
  });

  it("has values masked within titles and links", () => {
    expect(shownOf(full, [Buffer.from("\x1b]0;alice@exam"), Buffer.from("ple.com\x07$ ")])).toBe(
      `\x1b]0;${stars("alice@example.com")}\x07$ `,
    );
  });

  it("is not changed where it is no text: once a command without a terminal has printed a NUL", () => {
    const archive = [
      "ana@example.com ana@exam",
      "ple.com\0\x01 bob@example.com 4111111111111111\n",
      "carol@example.com\n",
    ];
    const output = maskedOutput(full, undefined, false);
    for (const part of archive) output.show(part);
    output.show("done\n");
    expect(output.client).toBe(`${stars("ana@example.com")} ana@exam${archive.slice(1).join("")}done\n`);
    expect(output.recorded).toBe(output.client);
  });

  it("is changed on a terminal whatever it holds", () => {
    const output = maskedOutput(full);
    output.show("\0 bob@example.com\n");
    expect(output.client).toBe(`\0 ${stars("bob@example.com")}\n`);
  });

  it("does not join what stands in different places of the screen", () => {
    const text = "4242\x1b[5;10H4242\x1b[6;10H4242\x1b[7;10H4242\r\n";
    expect(shownOf(full, [Buffer.from(text)])).toBe(text);
  });

  it("has a private key masked line by line, and nothing of what follows it, complete or not", () => {
    const body = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj";
    const begun = `-----BEGIN RSA PRIVATE KEY-----\r\n${body}\r\n${body}\r\n`;
    const whole = `${begun}Zw==\r\n-----END RSA PRIVATE KEY-----\r\nbehind\r\n`;
    const mask = (text: string): string => text.replaceAll(/[^\r\n]/g, "*");
    for (const style of ["full", "partial"] as const) {
      const masking = detecting(style);
      expect(shownOf(masking, [Buffer.from(whole)])).toBe(`${mask(whole.slice(0, -8))}behind\r\n`);
      const singly = Array.from(`${begun}user@host:~$ ls`, (letter) => Buffer.from(letter));
      expect(shownOf(masking, singly)).toBe(`${mask(begun)}user@host:~$ ls`);
    }
  });

  it("keeps the length and the order of its messages, and of those between them", () => {
    const output = maskedOutput(full);
    output.show("mail alice@exa");
    output.complain("an error\n");
    output.send(ssh.exit(0, 0));
    expect(output.messages).toEqual([]);
    output.show("mple.com\n");
    output.send(ssh.eof(0));
    expect(output.messages.map(([type]) => type)).toEqual([94, 95, 98, 94, 96]);
    expect(output.messages.map(([, length]) => length).slice(0, 2)).toEqual([9 + 14, 13 + 9]);
    expect(output.client).toBe(`mail ${stars("alice@example.com")}\n`);
  });

  it("finds a value in standard error that standard output stands between", () => {
    const output = maskedOutput(full);
    output.complain("alice@exa");
    output.show("bob@exa");
    output.complain("mple.com\n");
    output.show("mple.com\n");
    expect(output.client).toBe(`${stars("bob@example.com")}\n`);
    expect(output.counts()).toEqual({ email: 2 });
  });
});

describe("what waits for its end", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it.each(["done\n", "$ ", "Password: ", "\x1b[2;1H", "\x1b[?25l"])("is not %j: it goes on at once", (end) => {
    const output = maskedOutput(full);
    output.show(`text ${end}`);
    expect(output.client).toBe(`text ${end}`);
  });

  it("goes on when nothing has come for 25 ms, and what then comes of the value is masked", async () => {
    const output = maskedOutput(full);
    output.show("mail alice@exam");
    await vi.advanceTimersByTimeAsync(20);
    expect(output.client).toBe("");
    await vi.advanceTimersByTimeAsync(10);
    expect(output.client).toBe("mail alice@exam");
    output.show("ple.com\n");
    expect(output.client).toBe(`mail alice@exam${stars("ple.com")}\n`);
    expect(output.counts()).toEqual({ email: 1 });
  });

  it("waits while more of it comes", async () => {
    const output = maskedOutput(full);
    for (const letter of "alice.of.london@example.com") {
      output.show(letter);
      await vi.advanceTimersByTimeAsync(20);
    }
    expect(output.client).toBe("");
    output.show("\n");
    expect(output.client).toBe(`${stars("alice.of.london@example.com")}\n`);
  });

  it("waits a second in all: what is older goes on, and what is not waits on", async () => {
    const output = maskedOutput(full);
    const print = async (text: string): Promise<void> => {
      for (const letter of text) {
        output.show(letter);
        await vi.advanceTimersByTimeAsync(10);
      }
    };
    await print(".".repeat(150));
    expect(output.client.length).toBeGreaterThan(45);
    expect(output.client.length).toBeLessThan(55);
    await print("/bob@example.com");
    output.show("\n");
    expect(output.client).toBe(`${".".repeat(150)}/${stars("bob@example.com")}\n`);
  });

  it("is no key that the client has typed, which is shown at once", () => {
    const output = maskedOutput(full);
    output.show("a", true);
    expect(output.client).toBe("a");
  });

  it("ends the session where it cannot be sent on", async () => {
    const failed: unknown[] = [];
    const masks = new SessionMasks({ rules: full, unmaskedBy: undefined }, () => {});
    const pass = (): never => {
      throw new Error("the recording has ended");
    };
    const output = new OutputMasker(masks, true, pass, (error) => failed.push(error));
    output.take(ssh.data(0, "alice").subarray(4), false);
    await vi.advanceTimersByTimeAsync(50);
    expect(failed).toEqual([new Error("the recording has ended")]);
  });

  it("is bounded", () => {
    const output = maskedOutput(full);
    for (let n = 0; n < 2_000; n++) output.show("\x1b[m".repeat(500) + (n === 0 ? "a" : ""));
    expect(output.client.length).toBeGreaterThan(2_000 * 1_500 - (300 << 10));
  });
});

describe("who sees what", () => {
  const text = "alice@example.com 4242424242424242\n";
  const masked = `${stars("alice@example.com")} ${stars("4242424242424242")}\n`;

  it("is the same for the client and the record", () => {
    const output = maskedOutput(full);
    output.show(text);
    expect([output.client, output.recorded]).toEqual([masked, masked]);
  });

  it("is everything for a client that policy lets, and never for the record", () => {
    const output = maskedOutput(full, "trusted");
    output.show(text.slice(0, 5));
    output.show(text.slice(5));
    expect([output.client, output.recorded]).toEqual([text, masked]);
    expect(output.counts()).toEqual({ email: 1, card: 1 });
  });

  it("is for the client what is not only for the record", () => {
    const masking = maskingOf({
      detectors: [
        { name: "mails", detect: "email", style: "full", where: "recording-only" },
        { name: "cards", detect: "card", style: "full" },
      ],
    });
    const output = maskedOutput(masking);
    output.show(text.slice(0, 25));
    output.show(text.slice(25));
    expect(output.client).toBe(`alice@example.com ${stars("4242424242424242")}\n`);
    expect(output.recorded).toBe(masked);
    expect(output.counts()).toEqual({ mails: 1, cards: 1 });
  });
});
