import { beforeEach, describe, expect, it } from "vitest";
import { sha256, toDigest } from "../../../core/recording/chunk.ts";
import type { StatementEvent } from "../../../core/recording/events.ts";
import type { Result } from "../../../functions/replay/results.ts";
import type { FrameView } from "../../../functions/replay/views.ts";
import { dataRow, rowDescription } from "../../setup/backend-bytes.ts";
import { event, input, makeChunks, output, statement } from "../../setup/make-recording.ts";
import { ANA, installation, type Paged, type Problem, rowOf, shopping } from "./installation.ts";

let site: ReturnType<typeof installation>;
beforeEach(() => {
  site = installation();
});

describe("the statements of a session", () => {
  type Statements = Paged & { readonly statements: StatementEvent[] };

  it("come in pages of any size, each once and in order", async () => {
    const row = rowOf(1);
    await site.record(row, shopping(row, 6));
    for (const limit of [1, 2, 5, 12, 100]) {
      const seen: number[] = [];
      for (let after: number | null = 0; after !== null;) {
        const page: Statements = await site.json(
          ANA,
          `/api/sessions/${row.id}/statements?limit=${limit}&after=${after}`,
        );
        expect(page.statements.length).toBeLessThanOrEqual(limit);
        seen.push(...page.statements.map(({ number }) => number));
        after = page.next;
      }
      expect(seen).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    }
  });

  it("end a page early when they are large", async () => {
    const row = rowOf(1);
    const large = Array.from({ length: 8 }, (_, n) => [event(statement({ number: n + 1, text: "x".repeat(900_000) }))]);
    await site.record(row, large);
    const page = await site.json<Statements>(ANA, `/api/sessions/${row.id}/statements`);
    expect(page.statements).toHaveLength(3);
    expect(page.next).toBe(3);
  });

  it("are there as far as a live session has stored them, and can be asked on for", async () => {
    const row = rowOf(1);
    const frames = shopping(row, 3);
    await site.record(row, frames.slice(0, 2), true);
    const first = await site.json<Statements>(ANA, `/api/sessions/${row.id}/statements`);
    expect([first.statements.length, first.next, first.live]).toEqual([4, null, true]);
    const bytes = makeChunks(row, frames)[2] ?? Buffer.alloc(0);
    await site.chunks.put({ session: row.id, sequence: 2 }, bytes, toDigest(sha256(bytes)));
    const more = await site.json<Statements>(ANA, `/api/sessions/${row.id}/statements?after=${first.cursor}`);
    expect(more.statements.map(({ number }) => number)).toEqual([5, 6]);
  });

  it("are read from where they stand, not from the beginning, once that is known", async () => {
    const row = rowOf(1);
    await site.record(row, shopping(row, 50));
    const { cursor } = await site.json<Statements>(ANA, `/api/sessions/${row.id}/statements?limit=1000`);
    site.chunks.reads = 0;
    await site.json<Statements>(ANA, `/api/sessions/${row.id}/statements?after=${cursor - 3}`);
    await site.json(ANA, `/api/sessions/${row.id}/statements/99/rows`);
    expect(site.chunks.reads).toBeLessThan(12);
  });
});

describe("the rows of a statement", () => {
  interface Rows {
    readonly results: Result[];
    readonly incomplete: string | null;
    readonly statement: StatementEvent;
  }

  it("are those that the client saw", async () => {
    const row = rowOf(1);
    await site.record(row, shopping(row, 3));
    const {
      results,
      incomplete,
      statement: asked,
    } = await site.json<Rows>(ANA, `/api/sessions/${row.id}/statements/5/rows`);
    expect(asked.text).toBe("SELECT * FROM orders WHERE id = 5");
    expect(results).toMatchObject([
      { columns: [{ name: "id", typeName: "text" }, { name: "email" }], tag: "SELECT 2" },
    ]);
    expect(results[0]?.rows).toEqual([
      ["5.0", null],
      ["5.1", null],
    ]);
    expect(incomplete).toBeNull();
  });

  it("are bounded by number and by bytes, and say so", async () => {
    const row = rowOf(1);
    await site.record(row, [...shopping(row, 1, 1_200)]);
    const path = `/api/sessions/${row.id}/statements/1/rows`;
    const few = await site.json<Rows>(ANA, `${path}?limit=3`);
    expect([few.results[0]?.rows.length, few.incomplete]).toEqual([3, "only the first 3 rows were decoded"]);
    for (const limit of ["0", "1001", "all"]) await site.json(ANA, `${path}?limit=${limit}`, 400);

    const wide = rowOf(2);
    const reply = Buffer.concat([
      rowDescription({ name: "a", type: 25 }),
      ...Array.from({ length: 5 }, () => dataRow("x".repeat(900_000))),
    ]);
    const pieces = Array.from({ length: 5 }, (_, n) => [output(reply.subarray(n * 1_000_000, (n + 1) * 1_000_000))]);
    await site.record(wide, [...pieces, [event(statement({ output: [0, reply.length] }))]]);
    const cut = await site.json<Rows>(ANA, `/api/sessions/${wide.id}/statements/1/rows`);
    expect(cut.results[0]?.rows).toHaveLength(2);
    expect(cut.results[0]?.rows[0]?.[0]).toMatchObject({ bytes: 900_000 });
    expect(cut.incomplete).toBe(`only the first ${2 << 20} bytes of its replies were decoded`);
  });

  it("are found for a statement that was told out of turn", async () => {
    const row = rowOf(1);
    const told = [3, 2, 5, 1, 4].map((number) => [input("x"), event(statement({ number, text: `S${number}` }))]);
    await site.record(row, told);
    for (const number of [1, 2, 3, 4, 5])
      for (let again = 0; again < 2; again++)
        expect(await site.json<Rows>(ANA, `/api/sessions/${row.id}/statements/${number}/rows`)).toMatchObject({
          statement: { text: `S${number}` },
          results: [],
        });
  });

  it("are not found for a statement that is not there", async () => {
    const row = rowOf(1);
    await site.record(row, shopping(row, 1));
    for (const number of ["0", "3", "x", "1.5", "-1", "9".repeat(30)]) {
      const problem = await site.json<Problem>(ANA, `/api/sessions/${row.id}/statements/${number}/rows`, 404);
      expect(problem.detail).toBe("the session has no such statement");
    }
  });
});

describe("the raw frames of a session", () => {
  type Frames = Paged & { readonly frames: FrameView[] };

  it("are every frame as it was recorded, in pages", async () => {
    const row = rowOf(1);
    const recorded = shopping(row, 3);
    recorded[1]?.push(input(Buffer.from([0, 255, 10]), 5_000_000_000, 1));
    await site.record(row, recorded);
    const seen: FrameView[] = [];
    for (let after: number | null = 0; after !== null;) {
      const page: Frames = await site.json(ANA, `/api/sessions/${row.id}/frames?limit=4&after=${after}`);
      seen.push(...page.frames);
      after = page.next;
    }
    const kinds = ["", "input", "output", "event"];
    expect(seen).toEqual(
      recorded.flat().map(({ kind, payload, micros, flags }, number) => ({
        number,
        kind: kinds[kind],
        micros,
        channel: 0,
        flags: flags === 1 ? ["redacted"] : [],
        payload: payload.toString("base64"),
      })),
    );
  });

  it("end a page early when they are large, and give at least one", async () => {
    const row = rowOf(1);
    await site.record(
      row,
      Array.from({ length: 5 }, () => [output(Buffer.alloc(1 << 20, 1))]),
    );
    const page = await site.json<Frames>(ANA, `/api/sessions/${row.id}/frames`);
    expect([page.frames.length, page.next]).toEqual([2, 2]);
  });
});
