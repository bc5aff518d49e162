import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SallyportError } from "../../../core/errors.ts";
import type { SessionEvent, StatementEvent } from "../../../core/recording/events.ts";
import type { RecordedEvent } from "../../../core/recording/reader.ts";
import { tableLines } from "../../../core/recording/table.ts";
import { transcript, type TranscriptOptions } from "../../../core/recording/transcript.ts";
import { typeName } from "../../../core/recording/type-names.ts";
import { visible, visibleLines } from "../../../core/recording/visible.ts";
import { collect } from "../../setup/collect.ts";
import { opening, openedEvent, statement } from "../../setup/make-recording.ts";
import { sessionIdAt } from "../../setup/session-ids.ts";

const ROW = opening(sessionIdAt(1_800_000_000_000));
const OPENED = openedEvent(ROW);
const CLOSED: SessionEvent = { type: "session-closed", reason: "client-closed" };

/** Characters that a terminal obeys or does not show. */
const DANGEROUS = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u;

async function* recorded(events: readonly SessionEvent[], broken?: Error): AsyncGenerator<RecordedEvent> {
  for (const [n, event] of events.entries()) yield { event, micros: n * 1_500_000 };
  if (broken) throw broken;
}

const linesOf = (events: readonly SessionEvent[], options?: TranscriptOptions): Promise<string[]> =>
  collect(transcript(recorded(events), options));

describe("a transcript", () => {
  it("tells who did what, where, when, how long it took and what came of it", async () => {
    const events: SessionEvent[] = [
      OPENED,
      statement({ text: "SELECT id\n  FROM orders", rows: 2, tag: "SELECT 2" }),
      statement({
        number: 2,
        via: "extended",
        prepared: "s1",
        text: "INSERT INTO notes VALUES ($1, $2, $3)",
        parameters: [
          { type: 23, value: "42" },
          { type: 25, value: "it's", bytes: 9_000 },
          { type: 0, value: null },
        ],
        parameterCount: 5,
        tag: "INSERT 0 1",
        rows: 0,
        duration: 850,
        askedAt: 3_723_004_005,
      }),
      statement({ number: 3, text: "SELEC", outcome: "failed", sqlstate: "42601", message: "syntax error", rows: 0 }),
      statement({ number: 4, text: "SELECT 4", outcome: "skipped", rows: 0, redacted: true }),
      statement({
        number: 5,
        text: "COPY orders TO STDOUT",
        bytes: 70_000,
        tag: "COPY 7",
        rows: 7,
        copied: { direction: "out", bytes: 512 },
        duration: 2_340_000,
      }),
      { type: "notice", severity: "WARNING", sqlstate: "01000", message: "careful\nsecond line" },
      { type: "notification", processId: 7, channel: "news", payload: "hello" },
      { type: "cancel-requested", from: "203.0.113.9" },
      { type: "gap", frames: 3, message: "the gateway died" },
      statement({ number: 6, outcome: "unknown", rows: 0, duration: undefined }),
      { ...CLOSED, message: "bye" },
    ];
    expect((await linesOf(events)).join("\n")).toMatchInlineSnapshot(`
      "Session     01a3185c-5000-7000-8000-000000000000
      Who         Ana (https://issuer.example|ana)
      Groups      engineers
      Pass        pass-1
      Connection  shop
      Target      postgres://shop_app@db.internal:5432/shop
      Client      203.0.113.7:50123
      Settings    application_name=psql
      Durability  intent
      Started     2027-01-15T08:00:00.000Z

      #1  00:00:00.001  2.5 ms
          SELECT id
            FROM orders
        = SELECT 2, 2 rows

      #2  01:02:03.004  850 µs  extended  statement s1
          INSERT INTO notes VALUES ($1, $2, $3)
          $1 int4 = '42'
          $2 text = 'it''s'… cut: 9000 bytes on the wire
          $3 unknown = NULL
          … and 2 more parameters
        = INSERT 0 1

      #3  00:00:00.001  2.5 ms
          SELEC
        ! 42601: syntax error

      #4  00:00:00.001  2.5 ms  secrets replaced
          SELECT 4
        ! skipped: a statement before it had failed

      #5  00:00:00.001  2.34 s
          COPY orders TO STDOUT
          … cut: 70000 bytes on the wire
        = COPY 7, 7 rows, 512 bytes copied out

      00:00:09.000  notice  WARNING 01000: careful
          second line

      00:00:10.500  notification  news (from process 7): hello

      00:00:12.000  cancel requested  from 203.0.113.9

      !! 00:00:13.500  3 frames are missing  the gateway died

      #6  00:00:00.001
          SELECT 1
        ! unknown: the session ended before it completed

      00:00:16.500  closed: client-closed  bye"
    `);
  });

  it("shows the rows that it is given, aligned", async () => {
    const rows = async ({ number }: StatementEvent) =>
      number === 1
        ? [
            {
              columns: ["id", "name"],
              rows: [
                ["1", "Ana"],
                ["200", null],
              ],
              more: true,
            },
          ]
        : [];
    const lines = await linesOf([OPENED, statement(), statement({ number: 2 }), CLOSED], { rows });
    expect(lines.filter((line) => line.includes(" | ") || line.includes("+") || line.includes("…"))).toEqual([
      "    id  | name",
      "    ----+-----",
      "    1   | Ana",
      "    200 | NULL",
      "    … and more rows",
    ]);
  });

  it("contains nothing that a terminal obeys, whatever was recorded", async () => {
    const text = fc.string({ unit: "binary", maxLength: 40 });
    const hostile = fc.oneof(
      text,
      fc.constantFrom("\x1b]0;owned\x07", "\x9b31m", "\r\nfake", "a\u202eb", "\ud800", "\0"),
    );
    await fc.assert(
      fc.asyncProperty(hostile, hostile, hostile, async (a, b, c) => {
        const events: SessionEvent[] = [
          openedEvent(ROW, {
            principal: { id: a, name: b, groups: [c] },
            pass: a,
            connection: b,
            target: { host: c, port: 1, database: a, user: b },
            client: c,
            settings: { [a]: b },
          }),
          statement({ text: a, prepared: b, portal: c, tag: a, parameters: [{ type: 25, value: b }] }),
          statement({ text: c, outcome: "failed", sqlstate: a, message: b }),
          { type: "notice", severity: a, sqlstate: b, message: c },
          { type: "error", severity: b, sqlstate: c, message: a },
          { type: "notification", processId: 1, channel: a, payload: b },
          { type: "cancel-requested", from: c },
          { type: "gap", frames: 1, message: a },
          { type: "session-closed", reason: b, message: c },
        ];
        const rows = async () => [{ columns: [a, b], rows: [[c, null]], more: false }];
        for (const line of await linesOf(events, { rows })) expect(line.replaceAll("\t", "")).not.toMatch(DANGEROUS);
      }),
      { numRuns: 300 },
    );
  });

  it("lets no recorded text pass for a line of its own", async () => {
    const fake = ["#2  00:00:00.000", "  = SELECT 1", "!! The recording", "00:00:00.000  closed: x"];
    const text = `SELECT 1;\n${fake.join("\n")}`;
    const events: SessionEvent[] = [
      OPENED,
      statement({ text, message: text, outcome: "failed", parameters: [{ type: 25, value: text }] }),
      { type: "notice", severity: "NOTICE", sqlstate: "00000", message: text },
      CLOSED,
    ];
    const rows = async () => [{ columns: [text], rows: [[text]], more: false }];
    const lines = await linesOf(events, { rows });
    for (const line of lines.filter((shown) => fake.some((forged) => shown.trimStart().startsWith(forged.trim()))))
      expect(line).toMatch(/^ {4}/);
  });

  it("gives its lines one by one, as the events come", async () => {
    let given = 0;
    async function* endless(): AsyncGenerator<RecordedEvent> {
      yield { event: OPENED, micros: 0 };
      for (;;) yield { event: statement({ number: ++given }), micros: 0 };
    }
    const lines = transcript(endless());
    for (let n = 0; n < 100; n++) await lines.next();
    await lines.return();
    expect(given).toBeLessThan(40);
  });
});

describe("the end of a transcript", () => {
  const end = async (events: readonly SessionEvent[], options?: TranscriptOptions): Promise<string | undefined> =>
    (await linesOf(events, options)).at(-1);

  it("is the reason for which the session closed", async () => {
    expect(await end([OPENED, { ...CLOSED, message: "gone" }])).toBe("00:00:01.500  closed: client-closed  gone");
  });

  it("says that the session is live, or that the recording does not tell of its close, and is never blank", async () => {
    expect(await end([OPENED], { live: true })).toContain("live");
    expect(await end([], { live: true })).toContain("nothing is stored yet");
    expect(await end([OPENED])).toContain("without telling how the session closed");
    expect(await end([])).toBe("!! Nothing of this session is stored.");
  });

  it("says where the recording is broken, and fails then", async () => {
    const broken = new SallyportError("recording-corrupt", "chunk 3 is missing\x1b");
    const lines = transcript(recorded([OPENED, statement()], broken));
    const seen: string[] = [];
    const all = (async () => {
      for await (const line of lines) seen.push(line);
    })();
    await expect(all).rejects.toBe(broken);
    expect(seen.at(-1)).toBe("!! The recording cannot be read further: chunk 3 is missing␛.");
  });

  it("says first when the recording does not tell how the session was opened", async () => {
    expect((await linesOf([statement(), CLOSED]))[0]).toBe(
      "!! The recording does not tell how the session was opened.",
    );
  });
});

describe("the parts of a transcript", () => {
  it("names types as PostgreSQL does, arrays too, and others by their number", () => {
    expect([16, 1007, 3807, 705, 0, 99_999].map(typeName)).toEqual([
      "bool",
      "int4[]",
      "jsonb[]",
      "unknown",
      "unknown",
      "oid 99999",
    ]);
  });

  it("shows a picture in place of every character that acts or hides", () => {
    const ranges = [
      [0, 0x1f],
      [0x7f, 0x9f],
      [0xad, 0xad],
      [0x600, 0x605],
      [0x200b, 0x200f],
      [0x2028, 0x202e],
    ];
    ranges.push(
      [0x2060, 0x206f],
      [0x3164, 0x3164],
      [0xd800, 0xdfff],
      [0xfeff, 0xfeff],
      [0xfff9, 0xfffb],
      [0xe0000, 0xe007f],
    );
    for (const [from = 0, to = 0] of ranges)
      for (let code = from; code <= to; code++) {
        const shown = visible(`a${String.fromCodePoint(code)}b`);
        expect(shown, code.toString(16)).toMatch(/^a([\u2400-\u2421]|<U\+[0-9A-F]{4,6}>)b$/);
      }
  });

  it("leaves what can be read as it is", () => {
    for (const text of ["plain", "O'Neil <b>", "naïve Ωmega 漢字 🙂", "a\u0301", ""]) expect(visible(text)).toBe(text);
    expect(visibleLines("a\tb\r\nc\rd\ne")).toEqual(["a\tb", "c␍d", "e"]);
  });

  it("cuts cells that are too wide by their characters", () => {
    const [head = "", , row = ""] = tableLines({
      columns: ["c".repeat(100)],
      rows: [["🙂".repeat(100_000)]],
      more: false,
    });
    expect(Array.from(head)).toHaveLength(60);
    expect(Array.from(row)).toHaveLength(60);
    expect(row.endsWith("🙂…")).toBe(true);
  });

  it("draws rows that have fewer or more fields than there are columns", () => {
    const rows = [[], ["1"], ["1", "2", "3"]];
    expect(tableLines({ columns: ["a", "b"], rows, more: false }).slice(2)).toEqual(["", "1", "1 | 2 | 3"]);
  });
});
