import { mkdtemp, rm } from "node:fs/promises";
import net from "node:net";
import { tmpdir } from "node:os";
import { createSecureContext, connect as connectTls } from "node:tls";
import { once } from "node:events";
import * as fc from "fast-check";
import { serialize } from "pg-protocol/dist/serializer.js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SallyportError } from "../../../core/errors.ts";
import { askForPass, greet, type HandshakeOptions } from "../../../gateway-task/postgres/handshake.ts";
import { testAuthority, type TestAuthority } from "../../setup/certificates.ts";
import {
  cancelRequest,
  connectWire,
  GSS_REQUEST,
  SSL_REQUEST,
  startupMessage,
  upgrade,
  type WireClient,
} from "../../setup/wire-client.ts";

let scratch: string;
let authority: TestAuthority;
let secure: HandshakeOptions;
const PLAIN: HandshakeOptions = { tls: undefined, plaintextOnLoopback: true };

let server: net.Server;
let serve: (socket: net.Socket) => void;
beforeAll(async () => {
  scratch = await mkdtemp(`${tmpdir()}/sallyport-test-handshake-`);
  authority = await testAuthority(scratch);
  const tls = createSecureContext(await authority.issue("127.0.0.1"));
  secure = { tls, plaintextOnLoopback: false };
  server = net.createServer((socket) => {
    socket.on("error", () => {});
    serve(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
});
afterAll(async () => {
  server.close();
  await rm(scratch, { recursive: true });
});

const STARTUP = startupMessage({ user: "ana", database: "shop" });
const port = (): number => (server.address() as net.AddressInfo).port;

/** A client, and what the start-up phase made of it: what it asked for, or the code of the refusal. */
async function meet(options: HandshakeOptions, signal = new AbortController().signal, thenAsk = false) {
  const { promise: outcome, resolve } = Promise.withResolvers<string>();
  const ask = async (socket: net.Socket): Promise<string> => {
    const greeted = await greet(socket, options, signal, () => {});
    const { packet } = greeted;
    if (packet.kind === "startup" && thenAsk) return `pass ${await askForPass(greeted.socket, packet, signal)}`;
    return greeted.socket === socket ? packet.kind : `${packet.kind} inside TLS`;
  };
  serve = (socket) => {
    const refused = (thrown: unknown): string =>
      thrown instanceof SallyportError ? thrown.code : `not ours: ${String(thrown)}`;
    resolve(ask(socket).catch(refused));
  };
  const client = await connectWire({ port: port() });
  return { client, outcome };
}

const verified = () => ({ ca: authority.ca });

async function secured(client: WireClient): Promise<WireClient> {
  client.send(SSL_REQUEST);
  expect((await client.bytes(1)).toString()).toBe("S");
  return upgrade(client, verified());
}

describe("the start-up phase with TLS", () => {
  test("a client that asks for TLS gets it, and its start-up is read inside", async () => {
    const { client, outcome } = await meet(secure);
    (await secured(client)).send(STARTUP);
    expect(await outcome).toBe("startup inside TLS");
  });

  test("GSSAPI encryption is declined, before TLS and inside it", async () => {
    const { client, outcome } = await meet(secure);
    client.send(GSS_REQUEST);
    expect((await client.bytes(1)).toString()).toBe("N");
    (await secured(client)).send(STARTUP);
    expect(await outcome).toBe("startup inside TLS");
    const other = await meet(secure);
    const inside = await secured(other.client);
    inside.send(GSS_REQUEST);
    expect((await inside.bytes(1)).toString()).toBe("N");
    inside.send(STARTUP);
    expect(await other.outcome).toBe("startup inside TLS");
  });

  test("TLS from the first byte is taken with the protocol's name, and refused without it or with another's", async () => {
    for (const [names, expected] of [
      [["postgresql"], "startup inside TLS"],
      [["http/1.1", "postgresql"], "startup inside TLS"],
      [undefined, "protocol-violation"],
      [["h2"], "protocol-violation"],
    ] as const) {
      const { client, outcome } = await meet(secure);
      const options = names === undefined ? {} : { ALPNProtocols: [...names] };
      const socket = connectTls({ ...options, ...verified(), socket: client.socket, host: "127.0.0.1" });
      socket.on("error", () => {});
      socket.on("secureConnect", () => socket.write(STARTUP));
      expect(await outcome, String(names)).toBe(expected);
      socket.destroy();
    }
  });

  test("a port for TLS alone takes it from the first byte, and nothing else, whatever is asked for in plain text", async () => {
    const direct = { ...secure, plaintextOnLoopback: true, directTls: true };
    const { client, outcome } = await meet(direct);
    const options = { ALPNProtocols: ["postgresql"], ...verified(), socket: client.socket, host: "127.0.0.1" };
    const socket = connectTls(options);
    socket.on("error", () => {});
    socket.on("secureConnect", () => socket.write(STARTUP));
    expect(await outcome).toBe("startup inside TLS");
    socket.destroy();
    for (const first of [STARTUP, SSL_REQUEST, GSS_REQUEST, cancelRequest(1, Buffer.alloc(4))]) {
      const other = await meet(direct);
      other.client.send(first);
      expect(await other.outcome).toBe("tls-required");
    }
  });

  test("plain text is refused, even from loopback", async () => {
    const { client, outcome } = await meet(secure);
    client.send(STARTUP);
    expect(await outcome).toBe("tls-required");
  });

  test("plain text is taken from loopback where that is configured", async () => {
    const { client, outcome } = await meet({ ...secure, plaintextOnLoopback: true });
    client.send(STARTUP);
    expect(await outcome).toBe("startup");
  });

  test("a cancel request needs no TLS: libpq before version 17 has none for it, and it carries no pass", async () => {
    const { client, outcome } = await meet(secure);
    client.send(cancelRequest(1, Buffer.alloc(4)));
    expect(await outcome).toBe("cancel-request");
  });

  test("bytes stuffed behind an encryption request are refused, not read as if they had come encrypted", async () => {
    for (const request of [SSL_REQUEST, GSS_REQUEST]) {
      const { client, outcome } = await meet(secure);
      client.send(request, STARTUP);
      expect(await outcome).toBe("protocol-violation");
    }
  });

  test("encryption is asked for once", async () => {
    const gss = await meet(secure);
    gss.client.send(GSS_REQUEST);
    await gss.client.bytes(1);
    gss.client.send(GSS_REQUEST);
    expect(await gss.outcome).toBe("protocol-violation");
    const twice = await meet(secure);
    (await secured(twice.client)).send(SSL_REQUEST);
    expect(await twice.outcome).toBe("protocol-violation");
  });

  test("a client that gives up in the middle of the TLS handshake is let go", async () => {
    for (const [sent, hangUp] of [
      [Buffer.from([0x16, 3, 1, 0, 200, 1]), "destroy"],
      [Buffer.from([0x16, 3, 1, 0, 200, 1]), "resetAndDestroy"],
      [Buffer.alloc(600, 0x16), "end"],
    ] as const) {
      const { client, outcome } = await meet(secure);
      client.send(sent);
      client.socket[hangUp]();
      expect(await outcome).toBe("protocol-violation");
    }
  });
});

describe("the start-up phase without TLS", () => {
  test("a client that asks for TLS is told that there is none, and may go on in plain text from loopback", async () => {
    const { client, outcome } = await meet(PLAIN);
    client.send(SSL_REQUEST);
    expect((await client.bytes(1)).toString()).toBe("N");
    client.send(STARTUP);
    expect(await outcome).toBe("startup");
  });

  test("a TLS hello is refused", async () => {
    const { client, outcome } = await meet(PLAIN);
    client.send(Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]));
    expect(await outcome).toBe("protocol-violation");
  });

  test("nobody is let in whom nothing was configured for", async () => {
    const { client, outcome } = await meet({ tls: undefined, plaintextOnLoopback: false });
    client.send(STARTUP);
    expect(await outcome).toBe("tls-required");
  });
});

describe("deadlines", () => {
  test.each<[string, (client: WireClient) => unknown]>([
    ["says nothing", () => {}],
    ["sends three bytes", (client) => client.send(Buffer.from([0, 0, 0]))],
    ["sends half a start-up", (client) => client.send(STARTUP.subarray(0, 20))],
    ["asks for TLS and leaves it there", (client) => client.send(SSL_REQUEST)],
    ["sends half a TLS hello", (client) => client.send(Buffer.from([0x16, 3, 1, 2, 0, 1, 0]))],
    ["never shows its pass", (client) => client.send(STARTUP)],
    ["shows half a pass", (client) => client.send(STARTUP, serialize.password("sp_abc").subarray(0, 7))],
  ])("a client that %s is not waited for any longer", async (_what, act) => {
    for (const options of [{ ...secure, plaintextOnLoopback: true }]) {
      const deadline = new AbortController();
      const { client, outcome } = await meet(options, deadline.signal, true);
      act(client);
      setTimeout(() => deadline.abort(new SallyportError("handshake-timeout", "too late")), 50);
      expect(await outcome).toBe("handshake-timeout");
      client.close();
    }
  });
});

describe("asking for the pass", () => {
  const ask = async (...sent: readonly (Buffer | string)[]): Promise<string> => {
    const { client, outcome } = await meet(PLAIN, undefined, true);
    client.send(STARTUP, ...sent);
    return outcome.finally(() => client.close());
  };
  const password = (length: number, body: string): Buffer => {
    const head = Buffer.from([0x70, 0, 0, 0, 0]);
    head.writeUInt32BE(length, 1);
    return Buffer.concat([head, Buffer.from(body)]);
  };

  test("a pass is read whole, with its end or without", async () => {
    expect(await ask(serialize.password("sp_secret"))).toBe("pass sp_secret");
    expect(await ask(password(7, "abc"))).toBe("pass abc");
  });

  test("a password that no pass is as long as is refused by its length", async () => {
    for (const length of [0, 3, 4, 1_029, 0x7fffffff, 0xffffffff])
      expect(await ask(password(length, "")), String(length)).toBe("pass-invalid");
  });

  test("any other message before the log-in is over is refused", async () => {
    for (const message of [serialize.query("select 1"), serialize.sync(), serialize.end(), Buffer.alloc(5)])
      expect(await ask(message)).toBe("protocol-violation");
  });
});

test("any bytes at all are a start-up, a cancel request, or a refusal of ours", async () => {
  const tricky = fc.constantFrom(
    SSL_REQUEST,
    GSS_REQUEST,
    STARTUP,
    Buffer.from([0x16, 3, 1]),
    cancelRequest(7, Buffer.alloc(4)),
  );
  const bytes = fc.array(
    fc.oneof(
      fc.uint8Array({ maxLength: 40 }).map((some) => Buffer.from(some)),
      tricky,
    ),
    { maxLength: 5 },
  );
  await fc.assert(
    fc.asyncProperty(bytes, fc.boolean(), async (sent, tls) => {
      const { client, outcome } = await meet(tls ? secure : PLAIN, undefined, true);
      client.send(...sent);
      client.socket.end();
      const refusals = ["protocol-violation", "tls-required", "feature-not-supported", "pass-invalid"];
      expect([...refusals, "cancel-request"]).toContain(await outcome);
      client.close();
    }),
    { numRuns: 200 },
  );
});
