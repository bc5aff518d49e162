import { expect, test } from "vitest";
import { newLogger } from "../../cli/log.ts";
import { SallyportError } from "../../core/errors.ts";

function logged(short: boolean, write: (logger: ReturnType<typeof newLogger>) => void): string {
  let text = "";
  write(newLogger({ write: (line) => void (text += line) }, { level: "info", short }));
  return text;
}

test("a log is JSON, a line an entry", () => {
  const text = logged(false, (logger) => logger.info({ client: "127.0.0.1:5" }, "hello"));
  expect(JSON.parse(text)).toEqual({ level: 30, time: expect.any(Number), client: "127.0.0.1:5", msg: "hello" });
});

test("a terminal shows short lines, which nothing that was logged can break or obey", () => {
  const text = logged(true, (logger) => logger.warn({ client: "a\u001b[2J\nb", n: 3 }, "refused"));
  expect(text).toMatch(/^\d\d:\d\d:\d\d\.\d{3} warn {2}refused client=a␛\[2J␊b n=3\n$/);
});

test("an error is told by its code and message", () => {
  const text = logged(true, (logger) => logger.error({ err: new SallyportError("conflict", "it is taken") }, "failed"));
  expect(text).toMatch(/ error failed \(conflict: it is taken\)\n$/);
});
