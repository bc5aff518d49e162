import type net from "node:net";
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SallyportError } from "../../../core/errors.ts";
import { openTarget } from "../../../gateway-task/postgres/target.ts";
import { logInToTarget } from "../../../gateway-task/postgres/target-login.ts";
import { freePort } from "../../../local/embedded-postgres.ts";
import { message, readyForQuery } from "../../setup/backend-bytes.ts";
import { fakeTarget, type FakeTarget } from "../../setup/fake-target.ts";

let target: FakeTarget;
beforeAll(async () => {
  target = await fakeTarget((socket) => socket.destroy());
});
afterAll(() => target.close());

type Tls = { readonly mode: "disable" | "verify-full" };

/** Opens and logs in; answers the code of what is thrown, and nothing but a SallyportError may be. */
async function attempt(tls: Tls, signal = new AbortController().signal, port = target.port): Promise<string> {
  const where = { host: target.host, port, database: "shop", otherDatabases: false, tls };
  let socket: net.Socket | undefined;
  try {
    const opened = await openTarget(where, signal);
    socket = opened.socket;
    await logInToTarget(opened, { user: "app", password: "s3cret" }, "shop", new Map(), signal);
    return "let in";
  } catch (thrown) {
    if (!(thrown instanceof SallyportError)) throw thrown;
    return thrown.code;
  } finally {
    socket?.destroy();
  }
}

/** Waits for the client's first bytes, then answers. */
const answering =
  (...answers: readonly (Buffer | string)[]) =>
  (socket: net.Socket): void => {
    let next = 0;
    socket.on("data", () => {
      const answer = answers[next++];
      if (answer === undefined) socket.end();
      else socket.write(answer);
    });
  };

const int32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};
const authentication = (kind: number, ...rest: (Buffer | string)[]): Buffer => message("R", int32(kind), ...rest);
const OK = authentication(0);
const SASL = authentication(10, "SCRAM-SHA-256\0\0");

describe("a target that is not there", () => {
  test.each(["disable", "verify-full"] as const)("is said to be unreachable, at once (TLS: %s)", async (mode) => {
    const port = await freePort();
    const asked = performance.now();
    expect(await attempt({ mode }, undefined, port)).toBe("target-unreachable");
    expect(performance.now() - asked).toBeLessThan(1_000);
  });

  test.each(["disable", "verify-full"] as const)(
    "says nothing: the deadline ends the attempt (TLS: %s)",
    async (mode) => {
      target.behave = () => {};
      const late = new SallyportError("handshake-timeout", "too late");
      const deadline = new AbortController();
      const attempted = attempt({ mode }, deadline.signal);
      setTimeout(() => deadline.abort(late), 100);
      expect(["handshake-timeout", "target-unreachable"]).toContain(await attempted);
    },
  );

  test.each(["disable", "verify-full"] as const)("hangs up: the attempt ends (TLS: %s)", async (mode) => {
    for (const hangUp of ["end", "destroy", "resetAndDestroy"] as const) {
      target.behave = (socket) => void socket[hangUp]();
      expect(["target-lost", "target-unreachable"], hangUp).toContain(await attempt({ mode }));
      target.behave = (socket) => void socket.once("data", () => void socket[hangUp]());
      expect(["target-lost", "target-unreachable"], hangUp).toContain(await attempt({ mode }));
    }
  });
});

describe("where TLS is demanded", () => {
  test.each([
    ["declines it", "N"],
    ["answers with an error, as very old servers do", "EFATAL: unsupported frontend protocol\0"],
    ["stuffs bytes behind its consent", Buffer.concat([Buffer.from("S"), OK])],
    ["speaks HTTP", "HTTP/1.1 400 Bad Request\r\n\r\n"],
  ])("a target that %s is not trusted, and gets no log-in", async (_what, answer) => {
    let received = Buffer.alloc(0);
    target.behave = (socket) => {
      socket.on("data", (bytes) => (received = Buffer.concat([received, bytes])));
      answering(answer)(socket);
    };
    expect(await attempt({ mode: "verify-full" })).toBe("target-untrusted");
    expect(received.toString("latin1")).not.toContain("app");
  });

  test("a target that consents and then speaks no TLS is not trusted", async () => {
    target.behave = answering("S", "this is not a ServerHello, however long one waits for it");
    expect(await attempt({ mode: "verify-full" })).toBe("target-untrusted");
  });
});

describe("a target that is not PostgreSQL, or lies", () => {
  test.each<[string, (Buffer | string)[], string]>([
    ["speaks HTTP", ["HTTP/1.1 400 Bad Request\r\n\r\n"], "target-refused"],
    ["speaks SSH", ["SSH-2.0-OpenSSH_9.2p1\r\n"], "target-refused"],
    ["speaks TLS at once", [Buffer.from([0x15, 3, 1, 0, 2, 2, 70])], "target-refused"],
    ["sends a message of an impossible length", [Buffer.from([0x53, 0, 0, 0, 3])], "target-refused"],
    ["sends a message of 2 GiB", [Buffer.from([0x53, 0x7f, 0xff, 0xff, 0xff])], "target-refused"],
    ["sends an authentication without a kind", [message("R", "\0")], "target-refused"],
    ["sends a key without a process id", [Buffer.concat([OK, message("K", "\0\0")])], "target-refused"],
    ["asks for GSSAPI", [authentication(7)], "target-refused"],
    ["asks for a mechanism that nobody knows", [authentication(10, "OAUTHBEARER\0\0")], "target-refused"],
    ["goes on with a SASL exchange that it never began", [authentication(11, "r=x,s=eA==,i=4096")], "target-refused"],
    ["ends a SASL exchange that it never began", [authentication(12, "v=x")], "target-refused"],
    ["breaks SCRAM off and says that all is well", [SASL, Buffer.concat([OK, readyForQuery()])], "target-untrusted"],
    ["sends rows before it is ready", [Buffer.concat([OK, message("D", "\0\0")])], "target-refused"],
    ["is ready before it has authenticated anyone", [readyForQuery()], "target-refused"],
    [
      "never stops greeting",
      [Buffer.concat(Array<Buffer>(60_000).fill(message("S", "application_name\0x\0")))],
      "target-refused",
    ],
  ])("one that %s is refused", async (_what, answers, code) => {
    target.behave = answering(...answers);
    expect(await attempt({ mode: "disable" })).toBe(code);
  });

  test("one that breaks off while we compute a proof for it takes nobody else along", async () => {
    target.behave = (socket) => {
      socket.once("data", () => {
        socket.write(SASL);
        socket.once("data", (first: Buffer) => {
          const nonce = /r=(.*)$/.exec(first.toString("latin1"))?.[1] ?? "";
          socket.write(authentication(11, `r=${nonce}x,s=c2FsdA==,i=300000`), () => socket.resetAndDestroy());
        });
      });
    };
    expect(await attempt({ mode: "disable" })).toBe("target-lost");
  });

  test("any bytes at all end the log-in with an error of ours, and crash nothing", async () => {
    const tag = fc.constantFrom("R", "S", "K", "E", "N", "Z", "v", "A", "D");
    const some = fc.uint8Array({ maxLength: 24 }).map((bytes) => Buffer.from(bytes));
    const wellFramed = fc.tuple(tag, some).map(([kind, body]) => message(kind, body));
    const kinds = fc.tuple(fc.nat(13), some).map(([kind, rest]) => authentication(kind, rest));
    await fc.assert(
      fc.asyncProperty(fc.array(fc.oneof(wellFramed, kinds, some), { maxLength: 6 }), async (answers) => {
        target.behave = (socket) => {
          socket.on("data", () => {});
          socket.end(Buffer.concat(answers));
        };
        const code = await attempt({ mode: "disable" });
        expect(["target-refused", "target-untrusted", "target-lost", "target-unreachable", "let in"]).toContain(code);
      }),
      { numRuns: 300 },
    );
  });
});
