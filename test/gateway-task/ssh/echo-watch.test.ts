import { describe, expect, it } from "vitest";
import { EchoWatch } from "../../../gateway-task/ssh/echo-watch.ts";

/** A person types key by key; the terminal answers what `shows` makes of each. */
function typing(keys: string, shows: (key: string) => string, watch = new EchoWatch()): string {
  let stored = "";
  for (const key of keys) {
    stored += watch.typed(Buffer.from(key)).toString();
    watch.shown(Buffer.from(shows(key)));
  }
  return stored;
}

const echoing = (key: string): string => (key === "\r" ? "\r\n$ " : key);
const silent = (key: string): string => (key === "\r" ? "\r\n" : "");

describe("what is typed at a terminal", () => {
  it("is stored once the terminal has shown the first key of a line", () => {
    expect(typing("ls -l\r", echoing)).toBe("*s -l\r");
  });

  it("is stored as stars where the terminal shows nothing", () => {
    expect(typing("canary\r", silent)).toBe("******\r");
  });

  it("is stored as stars where the terminal shows stars", () => {
    expect(typing("canary\r", (key) => (key === "\r" ? "\r\n" : "*"))).toBe("******\r");
  });

  it("is not trusted behind Enter, where a program may have begun to read a password", () => {
    const watch = new EchoWatch();
    expect(typing("sudo -k\r", echoing, watch)).toBe("*udo -k\r");
    watch.shown(Buffer.from("[sudo] password for ana: "));
    expect(typing("canary\r", silent, watch)).toBe("******\r");
  });

  it("is not trusted behind Tab and arrows, as in a form", () => {
    const watch = new EchoWatch();
    expect(typing("ana\t", echoing, watch)).toBe("*na\t");
    expect(typing("canary", silent, watch)).toBe("******");
  });

  it("is stored as stars when it is pasted at once, whatever was before", () => {
    const watch = new EchoWatch();
    typing("x\r", echoing, watch);
    expect(watch.typed(Buffer.from("canary\r")).toString()).toBe("******\r");
  });

  it("is stored as stars behind an Enter that came with it", () => {
    const watch = new EchoWatch();
    typing("su", echoing, watch);
    expect(watch.typed(Buffer.from("do x\rcanary\r")).toString()).toBe("do x\r******\r");
  });

  it("is not taken for shown where the terminal shows other text", () => {
    const watch = new EchoWatch();
    expect(typing("canary", (key) => (key === "c" ? "working: c" : ""), watch)).toBe("******");
  });

  it("is found among colours, titles and movements of the cursor", () => {
    const coloured = (key: string): string => `\x1b]0;title ${key}\x07\x1b[1;32m\x1b[K${key}\x1b[0m`;
    expect(typing("echo", coloured)).toBe("*cho");
  });

  it("keeps keys that are no characters as they are", () => {
    expect(typing("\x03\x1b[A\x7f\r", silent)).toBe("\x03\x1b**\x7f\r");
  });

  it("that lies beyond ASCII is followed byte by byte", () => {
    expect(typing("aüß", echoing)).toBe("*üß");
  });
});
