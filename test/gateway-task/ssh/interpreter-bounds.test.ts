import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FORGOTTEN, type SessionEvent } from "../../../core/recording/events.ts";
import { sshInterpreter } from "../../../gateway-task/ssh/interpreter.ts";
import { ends, prefixed, ssh, string, u32 } from "../../setup/ssh-bytes.ts";
import { CHANNELS, COMMANDS } from "./conversations.ts";
import { client, closed, interpret, MINE, ofType, opened, target, THEIRS } from "./interpreter-kit.ts";
import { answers, asks, begun, READ, sftp } from "./sftp-kit.ts";

const following = () => {
  const events: SessionEvent[] = [];
  return { events, interpreter: sshInterpreter((event) => events.push(event)) };
};

describe("sshInterpreter's bounds", () => {
  test("a command of more than 64 KiB is cut, and both its events say how long it was", () => {
    const events = interpret([...opened(), client(ssh.exec(THEIRS, "é".repeat(50_000)))]);
    const [started] = ofType(events, "command-started");
    expect(started).toMatchObject({ bytes: 100_000 });
    expect(started?.text).toHaveLength(32_768);
    expect(ofType(events, "command-ended")[0]).toMatchObject({ bytes: 100_000, text: "é".repeat(1_024) });
  });

  test("a long command is told again by its beginning only", () => {
    const events = interpret([...opened(), client(ssh.exec(THEIRS, "x".repeat(5_000)))]);
    expect(ofType(events, "command-started")[0]?.text).toHaveLength(5_000);
    expect(ofType(events, "command-ended")[0]).toMatchObject({ bytes: 5_000, text: "x".repeat(1_024) });
  });

  test("bulk data is counted, and nothing of it is held", () => {
    const { events, interpreter } = following();
    for (const { by, bytes } of [...opened(), client(ssh.exec(THEIRS, "cat"))])
      if (by === "client") interpreter.input(bytes, 0, 0);
      else interpreter.output(bytes, 0, 0);
    const before = interpreter.held;
    const message = ssh.data(MINE, Buffer.alloc(1 << 15));
    for (let n = 0; n < 1_000; n++) {
      interpreter.output(message.subarray(0, 20_000), 0, 0);
      interpreter.output(message.subarray(20_000), 0, 0);
    }
    expect(interpreter.held).toBe(before);
    interpreter.finish(1);
    expect(ofType(events, "command-ended")[0]?.stdout).toBe(1_000 << 15);
  });

  test("of more channels at once than it follows it says so once, and follows the others", () => {
    const many = Array.from({ length: 5_000 }, (_, n) => ssh.open("session", n));
    const events = interpret([
      client(...many),
      target(ssh.confirm(0, 0), ssh.confirm(4_999, 4_999)),
      client(ssh.exec(0, "first"), ssh.exec(4_999, "last")),
    ]);
    expect(ofType(events, "not-followed")).toHaveLength(1);
    expect(ofType(events, "command-started").map(({ text }) => text)).toEqual(["first"]);
  });

  test("a client that asks for a command on a channel that it was not given is told of, once", () => {
    const early = [client(ssh.open("session", MINE), ssh.exec(THEIRS, "rm x"), ssh.exec(THEIRS, "rm y"))];
    const events = interpret([...early, target(ssh.confirm(MINE, THEIRS), ssh.success(MINE))]);
    expect(ofType(events, "not-followed")).toMatchObject([{ message: expect.stringContaining("not given") as string }]);
  });

  test("a number that is given to another channel while it is open ends what was there", () => {
    const events = interpret([...opened(), client(ssh.exec(THEIRS, "a")), ...opened(), client(ssh.exec(THEIRS, "b"))]);
    expect(ofType(events, "command-ended")).toMatchObject([
      { text: "a", channel: 1, outcome: "unknown" },
      { text: "b", channel: 2, outcome: "unknown" },
    ]);
  });

  test("a client that is many requests ahead on a channel has commands of unknown outcome, and it is said once", () => {
    const alternating = Array.from({ length: 300 }, () => [ssh.exec(THEIRS, "x"), ssh.pty(THEIRS, "vt100", 1, 1)]);
    const events = interpret([...opened(), client(...alternating.flat()), target(ssh.success(MINE))]);
    expect(ofType(events, "not-followed")).toHaveLength(1);
    expect(ofType(events, "command-started")).toHaveLength(300);
  });

  test("a client that is many global requests ahead has forwards of unknown outcome, and it is said once", () => {
    const many = Array.from({ length: 1_100 }, () => ssh.global("tcpip-forward", true, string("h"), u32(1)));
    const events = interpret([client(...many), target(ssh.globalSuccess())]);
    expect(ofType(events, "forward-listening")).toHaveLength(1_100);
    expect(ofType(events, "not-followed")).toHaveLength(1);
  });

  test("a direction that holds what is no message is followed no further, from an offset that it tells", () => {
    for (const nonsense of [u32(0), u32(1 << 24), prefixed(79, u32(0))]) {
      const events = interpret([...opened(), client(ssh.exec(THEIRS, "x")), target(nonsense), ...closed()]);
      expect(ofType(events, "not-followed")).toMatchObject([
        { message: expect.stringContaining("offset 21") as string },
      ]);
      expect(ofType(events, "command-ended")).toMatchObject([{ outcome: "unknown" }]);
    }
  });

  test("the client's direction being lost leaves what the target says", () => {
    const lost = client(prefixed(3));
    const events = interpret([...opened(), client(ssh.exec(THEIRS, "x")), lost, target(ssh.success(MINE), ssh.exit(MINE, 0)), ...closed()]); // prettier-ignore
    expect(ofType(events, "command-ended")).toMatchObject([{ outcome: "exited", status: 0 }]);
  });

  test("what is held is let go of when it must be, and said", () => {
    const { events, interpreter } = following();
    const steps = [...begun(), asks(sftp.open(1, "/a", READ)), answers(sftp.handle(1, "h")), client(ssh.open("direct-tcpip", 9, ...ends("h", 1, "i", 2)))]; // prettier-ignore
    for (const { by, bytes } of steps)
      if (by === "client") interpreter.input(bytes, 0, 0);
      else interpreter.output(bytes, 0, 0);
    const before = interpreter.held;
    interpreter.forget(1);
    expect(interpreter.held).toBeLessThan(before / 4);
    expect(events.filter(({ type }) => type === "error")).toEqual([FORGOTTEN]);
    expect(ofType(events, "file")).toMatchObject([{ path: "/a", status: "unknown" }]);
    expect(ofType(events, "command-ended")).toHaveLength(1);
  });

  test("what it holds grows with what it must remember, and not beyond", () => {
    const { interpreter } = following();
    for (let n = 0; n < 3_000; n++) {
      interpreter.input(ssh.open("session", n), 0, 0);
      interpreter.output(ssh.confirm(n, n), 0, 0);
      interpreter.input(ssh.exec(n, "x".repeat(3_000)), 0, 0);
    }
    expect(interpreter.held).toBeGreaterThan(3_000 * 3_000);
    expect(interpreter.held).toBeLessThan(3_000 * 9_000);
  });
});

describe("sshInterpreter, whatever the bytes", () => {
  const flags = fc.constantFrom(0, 1, 2, 3);
  const type = fc.integer({ min: 78, max: 129 });
  const field = fc.oneof(
    fc.constantFrom(u32(0), u32(7), u32(0xffffffff), string("exec"), string("scp -t x"), string("session")),
    fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
  );
  const message = fc.tuple(type, fc.array(field, { maxLength: 5 })).map(([tag, fields]) => prefixed(tag, ...fields));
  const real = fc.constantFrom(...[...COMMANDS, ...CHANNELS].flatMap(({ steps }) => steps.map(({ bytes }) => bytes)));
  const noise = fc.uint8Array({ maxLength: 64 }).map((bytes) => Buffer.from(bytes));
  const pieces = fc.array(fc.tuple(fc.boolean(), fc.oneof(message, real, noise), flags), { maxLength: 60 });

  test("it never throws, and every command that began ends once", () => {
    fc.assert(
      fc.property(pieces, (all) => {
        interpret(
          all.map(([fromClient, bytes, flag]) => ({ by: fromClient ? "client" : "target", bytes, flags: flag })),
        );
      }),
      { numRuns: 1_000 },
    );
  });

  test("a command that is asked for in a channel of the target's before that is confirmed ends, too", () => {
    const asked = [target(ssh.open("forwarded-tcpip", THEIRS)), client(ssh.exec(THEIRS, "ls"))];
    for (const steps of [asked, [...asked, client(ssh.fail(THEIRS, 1, "no"))]])
      expect(ofType(interpret(steps), "command-ended")).toHaveLength(1);
  });

  test("taps never throw on bytes that are not of their protocol", () => {
    const program = fc.constantFrom("scp -t /x", "scp -f /x", "/usr/lib/sftp-server");
    fc.assert(
      fc.property(program, pieces, (command, all) => {
        const data = all.map(([fromClient, bytes, flag]) => {
          const step = fromClient ? client(ssh.data(THEIRS, bytes)) : target(ssh.data(MINE, bytes));
          return { ...step, flags: flag };
        });
        interpret([...opened(), client(ssh.exec(THEIRS, command)), ...data]);
      }),
      { numRuns: 1_000 },
    );
  });
});
