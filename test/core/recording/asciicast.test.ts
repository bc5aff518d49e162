import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { asciicast } from "../../../core/recording/asciicast.ts";
import { type Frame, FRAME_KIND } from "../../../core/recording/frame.ts";
import { FLAG_WITHHELD } from "../../../core/recording/frame.ts";
import { collect } from "../../setup/collect.ts";
import { ssh } from "../../setup/ssh-bytes.ts";
import type { Crossing } from "../../setup/ssh-recording.ts";
import { execSession, shellSession } from "../../setup/ssh-sessions.ts";

const ABOUT = { startedAt: 1_800_000_000_000, title: "Ana on web-1" };

async function* framesOf(crossings: readonly Crossing[]): AsyncGenerator<Frame> {
  for (const { by, bytes, micros, flags = 0 } of crossings)
    yield { kind: by === "client" ? FRAME_KIND.input : FRAME_KIND.output, flags, channel: 0, micros, payload: bytes };
}
const castOf = async (crossings: readonly Crossing[], channel = 1): Promise<unknown[]> => {
  const lines = await collect(asciicast(framesOf(crossings), channel, ABOUT));
  for (const line of lines) expect(line).toMatch(/^[^\n]+\n$/);
  return lines.map((line) => JSON.parse(line) as unknown);
};

describe("a terminal as asciicast v3", () => {
  test("has its size and type in the header, and times relative to the event before", async () => {
    expect(await castOf(shellSession())).toEqual([
      { version: 3, term: { cols: 80, rows: 24, type: "xterm" }, timestamp: 1_800_000_002, title: "Ana on web-1" },
      [0.5, "o", "\x1b[1m$ \x1b[0m"],
      [0.5, "i", "ls\r"],
      [0.001, "o", "ls\r\n"],
      [0.001, "o", "über\r\n$ "],
      [0.998, "r", "132x50"],
      [2, "x", "3"],
    ]);
  });

  test("is the same whatever pieces the frames came in", async () => {
    const whole = shellSession();
    const joined = (cast: unknown[]): unknown[] => {
      const events: unknown[] = [];
      for (const one of cast) {
        const last = events.at(-1);
        if (Array.isArray(one) && Array.isArray(last) && one[1] === last[1] && one[0] === 0)
          last[2] = `${String(last[2])}${String(one[2])}`;
        else events.push(one);
      }
      return events;
    };
    const expected = joined(await castOf(whole));
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(100), { minLength: 1, maxLength: 5 }), async (cuts) => {
        const pieces = whole.flatMap((one) => {
          const at = [0, ...cuts.map((cut) => cut % one.bytes.length), one.bytes.length].toSorted((a, b) => a - b);
          return at.slice(1).map((end, n) => ({ ...one, bytes: one.bytes.subarray(at[n], end) }));
        });
        expect(joined(await castOf(pieces))).toEqual(expected);
      }),
      { numRuns: 100 },
    );
  });

  test("names the command of a terminal that runs one", async () => {
    const steps: Crossing[] = [
      { by: "client", micros: 0, bytes: ssh.open("session", 0) },
      { by: "target", micros: 0, bytes: ssh.confirm(0, 5) },
      { by: "client", micros: 0, bytes: Buffer.concat([ssh.pty(5, "vt100", 10, 5), ssh.exec(5, "top")]) },
    ];
    expect(await castOf(steps)).toMatchObject([{ version: 3, command: "top" }]);
    expect(await castOf(steps.map((step) => ({ ...step, flags: FLAG_WITHHELD })))).toEqual([]);
  });

  test("shows what the gateway said on it before a command, or in place of one", async () => {
    const steps: Crossing[] = [
      { by: "client", micros: 0, bytes: ssh.open("session", 0) },
      { by: "target", micros: 0, bytes: ssh.confirm(0, 5) },
      { by: "client", micros: 0, bytes: ssh.pty(5, "vt100", 10, 5) },
      { by: "target", micros: 500_000, bytes: ssh.data(0, "held for consent\r\n") },
      { by: "client", micros: 900_000, bytes: ssh.exec(5, "reboot"), flags: FLAG_WITHHELD },
      {
        by: "target",
        micros: 1_000_000,
        bytes: Buffer.concat([ssh.data(0, "denied\r\n"), ssh.exit(0, 126), ssh.close(0)]),
      },
    ];
    const [header, ...events] = await castOf(steps);
    expect(header).not.toHaveProperty("command");
    expect(events).toEqual([
      [0, "o", "held for consent\r\n"],
      [0.5, "o", "denied\r\n"],
      [0, "x", "126"],
    ]);
  });

  test("is nothing of a channel without one, of one that was never opened, or of bytes that are no SSH", async () => {
    expect(await castOf(execSession())).toEqual([]);
    expect(await castOf(shellSession(), 2)).toEqual([]);
    expect(await castOf([{ by: "client", micros: 0, bytes: Buffer.alloc(9) }])).toEqual([]);
  });
});
