import { beforeEach, describe, expect, it } from "vitest";
import { dataRow, rowDescription } from "../../setup/backend-bytes.ts";
import { event, openedEvent, output, statement } from "../../setup/make-recording.ts";
import { ANA, AUDITOR, installation, rowOf, shopping } from "./installation.ts";

let site: ReturnType<typeof installation>;
beforeEach(() => {
  site = installation();
});

describe("the pages", () => {
  const HOSTILE = `<script>alert(1)</script>"'&\u202e\x1b[31m`;

  it("escape whatever was recorded, and let no script run", async () => {
    const row = rowOf(1, ANA, { connection: HOSTILE, principalName: HOSTILE, client: HOSTILE });
    const hostile = statement({
      text: HOSTILE,
      tag: HOSTILE,
      redacted: true,
      parameters: [{ type: 25, value: HOSTILE }],
      output: [0, 0],
    });
    const reply = Buffer.concat([rowDescription({ name: HOSTILE, type: 25 }), dataRow(HOSTILE)]);
    await site.record(row, [
      [
        event(openedEvent(row, { settings: { [HOSTILE]: HOSTILE } })),
        output(reply),
        event({ ...hostile, output: [0, reply.length] }),
        event({ type: "notice", severity: HOSTILE, sqlstate: HOSTILE, message: HOSTILE }),
        event({ type: "session-closed", reason: HOSTILE }),
      ],
    ]);
    for (const path of ["/sessions", `/sessions/${row.id}`, `/sessions?connection=${encodeURIComponent(HOSTILE)}`]) {
      const response = await site.ask(AUDITOR, path, "text/html");
      const page = await response.text();
      expect(response.status).toBe(200);
      expect(response.headers.get("content-security-policy")).toContain("default-src 'none'");
      expect(page).toContain("&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp;");
      expect(page).not.toContain("<script");
      if (path.includes("?")) continue; // the form shows the filter as it was typed
      for (const obeyed of ["\u202e", "\x1b"]) expect(page).not.toContain(obeyed);
    }
  });

  it("link from the list to the session, to its rows and to the next page", async () => {
    const row = rowOf(1);
    await site.record(row, shopping(row, 3));
    await site.record(rowOf(0), shopping(rowOf(0), 1));
    const list = await site.page(ANA, "/sessions?limit=1&connection=shop");
    expect(list).toContain(`<a href="/sessions/${row.id}">`);
    expect(list).toContain(`/sessions?limit=1&amp;connection=shop&amp;after=${row.id}`);
    const first = await site.page(ANA, `/sessions/${row.id}?limit=3`);
    expect(first).toContain("<td>1.0</td>");
    expect(first).toContain(`/api/sessions/${row.id}/statements/2/rows`);
    const next = /href="(\/sessions\/[^"]*after=3)"/.exec(first)?.[1] ?? "";
    expect(await site.page(ANA, next)).toContain("WHERE id = 3");
  });

  it("offer the filter by person only to those who see more than their own", async () => {
    expect(await site.page(AUDITOR, "/sessions")).toContain('name="person"');
    expect(await site.page(ANA, "/sessions")).not.toContain('name="person"');
  });

  it("say in a page what is wrong with a request", async () => {
    const response = await site.ask(ANA, "/sessions?limit=zero", "text/html");
    expect([response.status, response.headers.get("content-type")]).toEqual([400, "text/html; charset=UTF-8"]);
  });
});
