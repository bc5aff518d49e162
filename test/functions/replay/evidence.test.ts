import { beforeEach, describe, expect, it } from "vitest";
import type { SessionOpening } from "../../../core/ports/session-store.ts";
import type { StatementEvent } from "../../../core/recording/events.ts";
import { readManifest } from "../../../core/recording/manifest.ts";
import type { Verification } from "../../../core/recording/verify.ts";
import { event, input, openedEvent, statement } from "../../setup/make-recording.ts";
import { nameOf } from "../../setup/memory-chunks.ts";
import { ANA, installation, type Paged, type Problem, rowOf, shopping } from "./installation.ts";

let site: ReturnType<typeof installation>;
beforeEach(() => {
  site = installation();
});

describe("the transcript of a session", () => {
  it("is plain text, with the first rows where they are asked for", async () => {
    const row = rowOf(1);
    await site.record(row, shopping(row, 3));
    const response = await site.ask(ANA, `/api/sessions/${row.id}/transcript?rows=1`);
    expect(response.headers.get("content-type")).toBe("text/plain; charset=utf-8");
    const text = await response.text();
    expect(text.split("\n")[0]).toBe(`Session     ${row.id}`);
    expect(text).toContain(
      "    SELECT * FROM orders WHERE id = 6\n  = SELECT 2, 2 rows\n    id  | email\n    ----+------\n    6.0 | NULL\n    … and more rows\n",
    );
    expect(text.trimEnd().split("\n").at(-1)).toContain("closed: client-closed");
    expect(await site.text(ANA, `/api/sessions/${row.id}/transcript`)).not.toContain("6.0 | NULL");
  });

  it("is read as fast as it is taken, and no further when the client is gone", async () => {
    const row = rowOf(1);
    const long = Array.from({ length: 40 }, (_, n) => [event(statement({ number: n + 1, text: "x".repeat(20_000) }))]);
    await site.record(row, long);
    const response = await site.ask(ANA, `/api/sessions/${row.id}/transcript`);
    const reader = response.body?.getReader();
    await reader?.read();
    await reader?.cancel();
    expect(site.chunks.reads).toBeLessThan(6);
  });

  it("leaves other work of the process its turn", async () => {
    const row = rowOf(1);
    const many = Array.from({ length: 2_000 }, (_, n) => event(statement({ number: n + 1 })));
    await site.record(row, [many]);
    const response = await site.ask(ANA, `/api/sessions/${row.id}/transcript`);
    let turns = 0;
    let turning = setImmediate(function turn() {
      turns++;
      turning = setImmediate(turn);
    });
    await response.text();
    clearImmediate(turning);
    expect(turns).toBeGreaterThan(20);
  });

  it("refuses to show more rows than anybody reads", async () => {
    const row = rowOf(1);
    await site.record(row, shopping(row, 1));
    for (const rows of ["51", "-1", "x"]) await site.json(ANA, `/api/sessions/${row.id}/transcript?rows=${rows}`, 400);
  });
});

describe("the proof of a session", () => {
  it("is its signed manifest, as it is stored", async () => {
    const row = rowOf(1);
    const { manifest } = await site.record(row, shopping(row, 2));
    const response = await site.ask(ANA, `/api/sessions/${row.id}/manifest`);
    expect(response.headers.get("content-type")).toBe("application/jose");
    expect(await readManifest(await response.text(), [site.signer.publicKey])).toEqual(manifest);
  });

  it("is verified on demand, and a change is named", async () => {
    const row = rowOf(1);
    await site.record(row, shopping(row, 3));
    const path = `/api/sessions/${row.id}/verify`;
    expect(await site.json<Verification>(ANA, path)).toMatchObject({ ok: true, chunks: 3, live: false });
    const chunk = site.chunks.chunks.get(nameOf({ session: row.id, sequence: 1 }));
    chunk?.writeUInt8((chunk.at(-1) ?? 0) ^ 1, chunk.length - 1);
    expect(await site.json<Verification>(ANA, path)).toMatchObject({ ok: false, fault: { chunk: expect.any(Number) } });
  });

  it("is not there yet while the session is live, which it says", async () => {
    const row = rowOf(1);
    await site.record(row, shopping(row, 1), true);
    const { detail } = await site.json<Problem>(ANA, `/api/sessions/${row.id}/manifest`, 404);
    expect(detail).toBe("the session is live: it is signed when it closes");
    expect(await site.json(ANA, `/api/sessions/${row.id}/verify`)).toMatchObject({ live: true, ok: false, chunks: 1 });
  });
});

describe("a recording that is missing or broken", () => {
  const remove = (row: SessionOpening, ...sequences: number[]): void => {
    for (const sequence of sequences) site.chunks.chunks.delete(nameOf({ session: row.id, sequence }));
  };
  const answers = ["/statements", "/frames", "/statements/1/rows"];

  it("is a problem that says what is missing, wherever it would be shown", async () => {
    const row = rowOf(1);
    await site.record(row, shopping(row, 3));
    remove(row, 0, 1, 2);
    const detail = "chunk 0 is missing, but the session closed with 3 chunks";
    for (const path of answers)
      expect(await site.json(ANA, `/api/sessions/${row.id}${path}`, 500)).toMatchObject({
        code: "recording-corrupt",
        detail,
      });
    expect(await site.text(ANA, `/api/sessions/${row.id}/transcript`)).toBe(
      `!! The recording cannot be read further: ${detail}.\n`,
    );
    const page = await site.page(ANA, `/sessions/${row.id}`);
    expect(page).toContain(detail);
    expect(page).toContain(row.id);
    expect(site.log.join("")).toContain("recording-corrupt");
  });

  it("is shown as far as it can be trusted, and then says what is wrong", async () => {
    const row = rowOf(1);
    await site.record(row, shopping(row, 4));
    remove(row, 2);
    const detail = "chunk 2 is missing, but chunk 3 is there";
    const page = await site.json<Paged & { statements: StatementEvent[] }>(ANA, `/api/sessions/${row.id}/statements`);
    expect(page).toMatchObject({ fault: detail, next: null });
    expect(page.statements.map(({ number }) => number)).toEqual([1, 2]);
    await site.json(ANA, `/api/sessions/${row.id}/statements?after=${page.cursor + 2}`, 500);
    expect(await site.text(ANA, `/api/sessions/${row.id}/transcript`)).toMatch(
      /WHERE id = 2\n.*\n!! The recording cannot be read further: chunk 2 is missing, but chunk 3 is there\.\n$/,
    );
    expect(await site.page(ANA, `/sessions/${row.id}`)).toContain(detail);
  });

  it("is never blank when its index says that it has closed", async () => {
    const row = rowOf(1);
    await site.record(row, [[event(openedEvent(row)), input("x")]]);
    expect(await site.text(ANA, `/api/sessions/${row.id}/transcript`)).toContain(
      "!! The recording ends without telling how",
    );
    expect(await site.page(ANA, `/sessions/${row.id}`)).toContain("ends without telling how the session closed");
  });

  it("is told apart from a live session that has stored nothing yet", async () => {
    const row = rowOf(1);
    await site.sessions.open(row);
    expect(await site.json(ANA, `/api/sessions/${row.id}/statements`)).toMatchObject({ statements: [], live: true });
    expect(await site.text(ANA, `/api/sessions/${row.id}/transcript`)).toBe(
      "… the session is live, and nothing is stored yet.\n",
    );
    expect(await site.page(ANA, `/sessions/${row.id}`)).toContain("The session is live, and nothing is stored yet.");
  });
});
