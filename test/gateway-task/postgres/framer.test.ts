import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { SallyportError } from "../../../core/errors.ts";
import { countedTags, MessageFramer, RULE, rulesOf } from "../../../gateway-task/postgres/framer.ts";
import { BACKEND, FRONTEND } from "../../../gateway-task/postgres/messages.ts";

const MAX_WHOLE = 600;
const RULES = rulesOf(FRONTEND);
const TAGS = Object.keys(FRONTEND);
const isWhole = (tag: string | number | undefined): boolean =>
  RULES[typeof tag === "string" ? tag.charCodeAt(0) : (tag ?? 0)] === RULE.whole;

function message(tag: string, body: Uint8Array, length = body.length + 4): Buffer {
  const bytes = Buffer.alloc(5 + body.length);
  bytes.write(tag, "latin1");
  bytes.writeUInt32BE(length, 1);
  bytes.set(body, 5);
  return bytes;
}

const messages = fc.array(
  fc.tuple(fc.constantFrom(...TAGS), fc.uint8Array({ maxLength: 300 })).map(([tag, body]) => message(tag, body)),
  { maxLength: 12 },
);
const cuts = fc.array(fc.nat({ max: 4_000 }), { maxLength: 20 });

function pieces(stream: Buffer, at: readonly number[]): Buffer[] {
  const ends = [...new Set([...at.filter((end) => end < stream.length), stream.length])].toSorted((a, b) => a - b);
  return ends.map((end, index) => stream.subarray(ends[index - 1] ?? 0, end));
}

/** What a hidden statement is recorded as: every second one another text, of another length. */
const hidden = (text: Buffer): Buffer =>
  (text.at(-1) ?? 0) % 2 === 0 ? message("Q", Buffer.from("[redacted]")) : text;

/** Feeds pieces through one buffer that is overwritten after each, as a socket's is. */
function feed(parts: readonly Buffer[], inspect: (message: Buffer) => Buffer = (same) => same) {
  const framer = new MessageFramer(RULES, countedTags("QSF"), MAX_WHOLE, (seen) => {
    inspected.push(Buffer.from(seen));
    return inspect(seen);
  });
  const inspected: Buffer[] = [];
  const forwarded: Buffer[] = [];
  const recorded: Buffer[] = [];
  const reused = Buffer.alloc(Math.max(0, ...parts.map(({ length }) => length)));
  for (const part of parts) {
    part.copy(reused);
    framer.push(reused.subarray(0, part.length));
    forwarded.push(Buffer.from(framer.forward));
    recorded.push(framer.recorded === framer.forward ? Buffer.from(framer.forward) : Buffer.from(framer.recorded));
    reused.fill(0xff);
  }
  return { framer, inspected, forwarded: Buffer.concat(forwarded), recorded: Buffer.concat(recorded) };
}

describe("framing", () => {
  test("any split of the bytes forwards the same bytes and inspects the same messages, though the buffer is used again", () => {
    fc.assert(
      fc.property(messages, cuts, (all, at) => {
        const stream = Buffer.concat(all);
        const { forwarded, inspected, framer } = feed(pieces(stream, at));
        expect(forwarded.equals(stream)).toBe(true);
        expect(inspected).toEqual(all.filter(([tag]) => isWhole(tag)));
        expect(framer.count).toBe(all.filter(([tag]) => "QSF".includes(String.fromCharCode(tag ?? 0))).length);
        expect(framer.lastTag).toBe(all.at(-1)?.[0] ?? 0);
        expect(framer.atBoundary).toBe(true);
      }),
    );
  });

  test("a byte at a time is no different", () => {
    fc.assert(
      fc.property(messages, (all) => {
        const stream = Buffer.concat(all);
        const { forwarded, inspected } = feed(Array.from(stream, (byte) => Buffer.of(byte)));
        expect(forwarded.equals(stream)).toBe(true);
        expect(inspected).toEqual(all.filter(([tag]) => isWhole(tag)));
      }),
    );
  });

  test("what is recorded is what is forwarded, save the messages that inspection changed", () => {
    fc.assert(
      fc.property(messages, cuts, (all, at) => {
        const { forwarded, recorded } = feed(pieces(Buffer.concat(all), at), hidden);
        expect(forwarded.equals(Buffer.concat(all))).toBe(true);
        expect(recorded.equals(Buffer.concat(all.map((one) => (isWhole(one[0]) ? hidden(one) : one))))).toBe(true);
      }),
    );
  });

  test("where nothing was changed, the recorded bytes are the forwarded ones themselves, and a whole chunk is itself", () => {
    const framer = new MessageFramer(RULES, countedTags(""), MAX_WHOLE, (same) => same);
    const chunk = Buffer.concat([message("Q", Buffer.from("select 1\0")), message("S", Buffer.alloc(0))]);
    framer.push(chunk);
    expect(framer.forward).toBe(chunk);
    expect(framer.recorded).toBe(chunk);
  });

  test("nothing is held back but the beginning of a statement, and never more of it than the bound", () => {
    fc.assert(
      fc.property(messages, fc.nat(), (all, at) => {
        const stream = Buffer.concat(all);
        const prefix = stream.subarray(0, at % (stream.length + 1));
        let start = 0;
        const cut = all.find((one) => (start + one.length > prefix.length ? true : ((start += one.length), false)));
        const held = cut && prefix.length > start && isWhole(cut[0]) ? prefix.length - start : 0;
        const { forwarded, framer } = feed([prefix]);
        expect(forwarded.length).toBe(prefix.length - held);
        expect(held).toBeLessThanOrEqual(MAX_WHOLE);
        expect(framer.atBoundary).toBe(prefix.length === start || held > 0);
      }),
    );
  });

  test("a streamed message of a gigabyte passes a chunk at a time", () => {
    const framer = new MessageFramer(RULES, countedTags(""), MAX_WHOLE, (same) => same);
    framer.push(message("d", Buffer.alloc(10), 0x3fffffff));
    const chunk = Buffer.alloc(1 << 20, "Q");
    for (let sent = 0; sent < 100; sent++) {
      framer.push(chunk);
      expect(framer.forward).toBe(chunk);
    }
    expect(framer.atBoundary).toBe(false);
  });

  test("rules that change between chunks hold for the messages that begin afterwards", () => {
    const holding = rulesOf(BACKEND);
    holding["E".charCodeAt(0)] = RULE.whole;
    const error = message("E", Buffer.from("SERROR\0\0"));
    for (let at = 0; at <= error.length; at++) {
      const seen: Buffer[] = [];
      const framer = new MessageFramer(rulesOf(BACKEND), countedTags("Z"), MAX_WHOLE, (one) => (seen.push(one), one));
      framer.push(error.subarray(0, at));
      framer.rules = holding;
      framer.push(Buffer.concat([error.subarray(at), error]));
      expect(seen, `cut at ${at}`).toEqual(at === 0 ? [error, error] : [error]);
    }
  });
});

/** What a framer throws, wherever the bytes are cut. */
function refusals(bytes: Buffer): string[] {
  return Array.from({ length: Math.min(bytes.length, 7) }, (_, at) => {
    try {
      feed([bytes.subarray(0, at), bytes.subarray(at)]);
      return "taken";
    } catch (thrown) {
      return thrown instanceof SallyportError ? thrown.code : String(thrown);
    }
  });
}

describe("hostile bytes", () => {
  const body = Buffer.alloc(8);

  test.each([0, 1, 2, 3, 0x40000000, 0x7fffffff, 0x80000000, 0xffffffff])(
    "a message of length %i is a protocol violation, whatever its type and wherever it is cut",
    (length) => {
      for (const tag of TAGS)
        expect(new Set(refusals(message(tag, body, length))), tag).toEqual(new Set(["protocol-violation"]));
    },
  );

  test("a tag that is in no table is refused as soon as it is seen", () => {
    for (let tag = 0; tag < 256; tag++) {
      if (TAGS.includes(String.fromCharCode(tag))) continue;
      expect(refusals(Buffer.from([tag])), `tag ${tag}`).toEqual(["protocol-violation"]);
      const behind = Buffer.concat([message("S", Buffer.alloc(0)), Buffer.from([tag, 0, 0, 0, 4])]);
      expect(new Set(refusals(behind)), `tag ${tag} behind a message`).toEqual(new Set(["protocol-violation"]));
    }
  });

  test("a statement over the bound is refused by its header, before anything of it is held", () => {
    for (const length of [MAX_WHOLE + 1, 0x3fffffff]) {
      const framer = new MessageFramer(RULES, countedTags(""), MAX_WHOLE, (same) => same);
      expect(() => framer.push(message("Q", Buffer.alloc(0), length)), String(length)).toThrowError(
        expect.objectContaining({ code: "limit-exceeded" }),
      );
    }
    const largest = message("Q", Buffer.alloc(MAX_WHOLE - 4));
    expect(feed([largest.subarray(0, 9), largest.subarray(9)]).forwarded.equals(largest)).toBe(true);
  });

  test("a statement that comes a byte at a time takes no more memory than one that comes at once", () => {
    const framer = new MessageFramer(RULES, countedTags(""), 32 << 20, (same) => same);
    framer.push(message("Q", Buffer.alloc(0), 4 << 20));
    const before = process.memoryUsage();
    const byte = Buffer.from("x");
    for (let count = 0; count < 2 << 20; count++) framer.push(byte);
    const after = process.memoryUsage();
    expect(after.heapUsed + after.external - before.heapUsed - before.external).toBeLessThan(64 << 20);
    expect(framer.forward).toHaveLength(0);
  });

  test("random bytes are framed or refused, and nothing else is thrown", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 40 })), (parts) => {
        try {
          const { forwarded } = feed(parts.map((part) => Buffer.from(part)));
          expect(Buffer.concat(parts).indexOf(forwarded)).toBe(0);
        } catch (thrown) {
          expect(thrown).toBeInstanceOf(SallyportError);
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe("messages that do not go on as they came", () => {
  const query = (text: string): Buffer => message("Q", Buffer.from(`${text}\0`));

  test("one is replaced on its way and in the record by what was answered for it, however it was cut", () => {
    const stream = Buffer.concat([query("one"), query("two"), message("S", Buffer.alloc(0)), query("three")]);
    for (let cut = 1; cut <= stream.length; cut++) {
      const [forward, kept] = [query("another"), query("hidden")];
      const framer = new MessageFramer(RULES, countedTags("Q"), MAX_WHOLE, (seen) =>
        seen.includes("two") ? { forward, recorded: kept } : seen,
      );
      const [forwarded, recorded]: Buffer[][] = [[], []];
      for (const part of [stream.subarray(0, cut), stream.subarray(cut)]) {
        framer.push(part);
        forwarded?.push(framer.forward);
        recorded?.push(framer.recorded);
      }
      const rest = [message("S", Buffer.alloc(0)), query("three")];
      expect(Buffer.concat(forwarded ?? []).equals(Buffer.concat([query("one"), forward, ...rest]))).toBe(true);
      expect(Buffer.concat(recorded ?? []).equals(Buffer.concat([query("one"), kept, ...rest]))).toBe(true);
    }
  });

  test("it stops before one that is not answered for, keeps what is behind it, and goes on there", () => {
    const stream = Buffer.concat([query("one"), query("two"), query("three"), message("S", Buffer.alloc(0))]);
    for (let cut = 1; cut <= stream.length; cut++) {
      const reused = Buffer.alloc(stream.length);
      const framer = new MessageFramer(RULES, countedTags("Q"), MAX_WHOLE, (seen) =>
        seen.includes("two") ? undefined : seen,
      );
      const out: Buffer[] = [];
      const push = (part: Buffer): void => {
        framer.push(part);
        out.push(Buffer.from(framer.forward));
        const { halted } = framer;
        if (halted === undefined) return;
        reused.fill(0xff);
        expect([halted.message.equals(query("two")), framer.count, framer.atBoundary]).toEqual([true, 1, true]);
        framer.pass();
        expect(framer.count).toBe(2);
        push(halted.rest);
      };
      for (const part of [stream.subarray(0, cut), stream.subarray(cut)]) {
        part.copy(reused);
        push(reused.subarray(0, part.length));
      }
      expect(
        Buffer.concat(out).equals(Buffer.concat([query("one"), query("three"), message("S", Buffer.alloc(0))])),
      ).toBe(true);
      expect([framer.count, framer.halted]).toEqual([3, undefined]);
    }
  });
});
