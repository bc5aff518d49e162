import { once } from "node:events";
import net from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { SshConnection } from "../../../core/config/connections.ts";
import { newHostKey } from "../../../gateway-task/ssh/host-key.ts";
import { openTarget } from "../../../gateway-task/ssh/target.ts";

let server: net.Server;
beforeAll(async () => {
  server = net.createServer((socket) => void socket.on("error", () => {}).write("SSH-2.0-x\r\n"));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
});
afterAll(() => void server.close());

// What nobody handles fails the run (vitest's `dangerouslyIgnoreUnhandledErrors` is off): in a task it would end every session.
test("a private key that is none refuses the session, and nothing more when the client goes away later", async () => {
  const { port } = server.address() as net.AddressInfo;
  const target = { host: "127.0.0.1", port, hostKeys: [newHostKey().publicKey], hostCertificateAuthorities: [] };
  const connection = { target, credentials: { user: "u", key: { secret: "x" } } } as unknown as SshConnection;
  const client = new AbortController();
  const opening = { called: "c", clock: Date.now, signal: client.signal };
  const opened = openTarget(connection, { user: "u", secret: "no key" } as never, opening);
  await expect(opened).rejects.toThrow(/Cannot parse privateKey/);
  client.abort(new Error("the client went away"));
  await new Promise((done) => setTimeout(done, 20));
});
