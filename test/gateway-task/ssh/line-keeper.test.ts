import { setImmediate as turn } from "node:timers/promises";
import { beforeAll, describe, expect, it } from "vitest";
import { loadShellParser } from "../../../core/policy/shell-parser.ts";
import type { Channel } from "../../../gateway-task/ssh/channels.ts";
import { LineKeeper } from "../../../gateway-task/ssh/lines/line-keeper.ts";
import { DATA_AT, MESSAGE, message } from "../../../gateway-task/ssh/messages.ts";
import type { Passage } from "../../../gateway-task/ssh/passage.ts";

beforeAll(loadShellParser);

/** A keeper whose every line is let through; what has gone on is in `passed`, what was asked in `asked`. */
function keeper() {
  const passed: Buffer[] = [];
  const asked: string[] = [];
  const passage = {
    passIn: (_channel: Channel, bytes: Buffer) => passed.push(Buffer.from(bytes.subarray(DATA_AT))),
    later: (milliseconds: number, action: () => void) => setTimeout(action, milliseconds),
  } as unknown as Passage;
  const channel = { shown: 1, client: 1, target: 1 } as Channel;
  const size = { columns: 80, rows: 24 };
  const kept = new LineKeeper(passage, channel, size, {
    ask: (line, go) => {
      asked.push(JSON.stringify(line));
      go();
    },
    tell: () => {},
    masked: (typed) => typed,
    release: () => {
      const { messages = [] } = channel.backlog ?? {};
      channel.backlog = undefined;
      for (const next of messages)
        if (channel.backlog === undefined) kept.take(next);
        else (channel.backlog as NonNullable<Channel["backlog"]>).messages.push(next);
    },
  });
  const type = (text: string): void => {
    const typed = message(MESSAGE.channelData, 1, Buffer.from(text));
    if (channel.backlog === undefined) kept.take(typed);
    else channel.backlog.messages.push(typed);
  };
  return { kept, type, asked, text: () => Buffer.concat(passed).toString(), idle: () => channel.backlog === undefined };
}

describe("Enters of one message", () => {
  it("go on a few at a time, in their order, and others have their turn between them", async () => {
    const { kept, type, text, idle } = keeper();
    kept.shown(Buffer.from("$ "));
    type("\r".repeat(5_000));
    type("x");
    expect(text().length).toBeLessThan(100);
    let turns = 0;
    for (; !idle(); turns++) await turn();
    expect(turns).toBeGreaterThan(50);
    expect(text()).toBe(`${"\r".repeat(5_000)}x`);
  });

  it("are judged where they enter something, also behind very many that do not", async () => {
    const { kept, type, asked, idle } = keeper();
    kept.shown(Buffer.from("$ "));
    type(`${"\r".repeat(100)}rm x\r`);
    kept.shown(Buffer.from(`${"\r\n$ ".repeat(100)}rm x`));
    while (!idle()) await turn();
    expect(asked).toHaveLength(1);
    expect(asked[0]).toContain("rm x");
  });
});
