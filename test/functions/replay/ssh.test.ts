import { beforeEach, describe, expect, it } from "vitest";
import { FLAG_REDACTED } from "../../../core/recording/frame.ts";
import type { SessionRow } from "../../../core/ports/session-store.ts";
import { ends, ssh, string, u32 } from "../../setup/ssh-bytes.ts";
import { type Crossing, sshFrames } from "../../setup/ssh-recording.ts";
import { execSession, shellSession } from "../../setup/ssh-sessions.ts";
import { ANA, BOB, installation, type Paged, type Problem, rowOf } from "./installation.ts";

let site: ReturnType<typeof installation>;
beforeEach(() => {
  site = installation();
});

const recorded = async (crossings: readonly Crossing[], n = 1): Promise<string> => {
  const row = rowOf(n, ANA, { protocol: "ssh", connection: "web-1" });
  await site.record(row, [sshFrames(row, crossings)]);
  return row.id;
};

describe("the replay of an SSH session", () => {
  it("lists its events in pages, with their numbers and times", async () => {
    const id = await recorded(execSession());
    type Events = Paged & { readonly events: readonly { number: number; micros: number; event: { type: string } }[] };
    const { events } = await site.json<Events>(ANA, `/api/sessions/${id}/events`);
    expect(events.map(({ event }) => event.type)).toEqual([
      "session-opened",
      "channel-opened",
      "channel-opened",
      "command-started",
      "command-started",
      "command-ended",
      "command-ended",
      "channel-closed",
      "channel-closed",
      "session-closed",
    ]);
    expect(events[5]).toMatchObject({
      number: 5,
      micros: 5_000,
      event: { number: 1, text: "make all", outcome: "exited", status: 0 },
    });
    const page = await site.json<Events>(ANA, `/api/sessions/${id}/events?after=5&limit=1`);
    expect(page).toMatchObject({ events: [{ number: 5 }], next: 6 });
    expect(await site.json<Problem>(BOB, `/api/sessions/${id}/events`, 404)).toMatchObject({ code: "not-found" });
  });

  it("tells in its transcript who did what, and what came of it", async () => {
    const id = await recorded([
      ...execSession(),
      { by: "client", micros: 7_000, bytes: ssh.open("direct-tcpip", 2, ...ends("db", 5432, "127.0.0.1", 9)) },
      { by: "target", micros: 8_000, bytes: Buffer.concat([ssh.confirm(2, 7), ssh.data(2, "12345")]) },
      { by: "client", micros: 9_000, bytes: ssh.close(7) },
      { by: "target", micros: 9_000, bytes: ssh.close(2) },
      { by: "client", micros: 9_000, bytes: ssh.global("tcpip-forward", true, string(""), u32(80)) },
      { by: "target", micros: 9_500, bytes: ssh.globalFailure() },
    ]);
    const text = await site.text(ANA, `/api/sessions/${id}/transcript?rows=2`);
    expect(text).toContain("Target      ssh://deploy@web-1.internal:22\n");
    expect(text).toContain("#1  00:00:00.002  exec  channel 1\n    make all\n");
    expect(text).toContain(
      "= #1 exit 0 after 3.0 ms, 0 bytes in, 10 out, 13 of errors\n    one\n    two\n    … and more\n",
    );
    expect(text).toContain("… what it wrote is no text\n");
    expect(text).toContain("channel 3  direct-tcpip by the client, from 127.0.0.1:9, to db:5432\n");
    expect(text).toContain(
      "channel 3 closed  direct-tcpip, by the client after 1.0 ms: 0 bytes from the client, 5 to it",
    );
    expect(text).toContain("forward asked for  *:80: failed\n");
    expect(text).not.toContain("channel 1 closed");
    expect(await site.text(ANA, `/api/sessions/${id}/transcript`)).not.toContain("    two\n");
  });

  it("gives a terminal as asciicast, and says where there is none", async () => {
    const id = await recorded(shellSession());
    const response = await site.ask(ANA, `/api/sessions/${id}/channels/1/cast`);
    expect(response.headers.get("content-type")).toBe("application/x-asciicast");
    const [header = "", ...events] = (await response.text()).trim().split("\n");
    expect(JSON.parse(header)).toMatchObject({ version: 3, term: { cols: 80, rows: 24, type: "xterm" } });
    expect(header).toContain(`ana on web-1, session ${id}, channel 1`);
    expect(events.at(-1)).toBe('[2,"x","3"]');
    for (const channel of ["2", "0", "x", "99999999999999999"])
      expect(await site.json<Problem>(ANA, `/api/sessions/${id}/channels/${channel}/cast`, 404)).toMatchObject({
        code: "not-found",
      });
    const postgres: Pick<SessionRow, "id"> = rowOf(2);
    await site.record(rowOf(2), []);
    await site.json(ANA, `/api/sessions/${postgres.id}/channels/1/cast`, 404);
    await site.json(BOB, `/api/sessions/${id}/channels/1/cast`, 404);
  });

  it("shows each command on its page, with what it wrote and a link to its terminal", async () => {
    const id = await recorded(shellSession());
    const page = await site.page(ANA, `/sessions/${id}`);
    expect(page).toContain("<dt>Commands</dt>");
    expect(page).toContain(`/api/sessions/${id}/events"`);
    expect(page).toContain("$ ls\nüber");
    expect(page).toContain(`<a href="/api/sessions/${id}/channels/1/cast">`);
    expect(page).toContain("exit 3 after 4.00 s");
    expect(page).not.toContain('<pre class="muted"></pre>');
  });

  it("escapes whatever was recorded", async () => {
    const hostile = `<script>alert(1)</script>\u202e\x1b[31m`;
    const id = await recorded([
      { by: "client", micros: 0, bytes: ssh.open("session", 0) },
      { by: "target", micros: 0, bytes: ssh.confirm(0, 5) },
      {
        by: "client",
        micros: 0,
        bytes: Buffer.concat([ssh.env(5, "A", hostile), ssh.exec(5, hostile)]),
        flags: FLAG_REDACTED,
      },
      {
        by: "target",
        micros: 0,
        bytes: Buffer.concat([
          ssh.success(0),
          ssh.data(0, hostile),
          ssh.killed(0, hostile, false, hostile),
          ssh.close(0),
        ]),
      },
    ]);
    const page = await site.page(ANA, `/sessions/${id}`);
    expect(page).not.toContain("<script");
    for (const obeyed of ["\u202e", "\x1b"]) expect(page).not.toContain(obeyed);
    expect(await site.text(ANA, `/api/sessions/${id}/transcript?rows=5`)).not.toMatch(/[\u202e\x1b]/); // eslint-disable-line no-control-regex
  });

  it("is verified as any other", async () => {
    const id = await recorded(shellSession());
    expect(await site.json(ANA, `/api/sessions/${id}/verify`)).toMatchObject({ ok: true });
  });
});
