// Node's floor, as a process of its own: `a.pipe(b)` in both directions, and not a byte looked at.
import { readFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import type { Socket } from "node:net";
import { createSecureContext, TLSSocket } from "node:tls";

const SSL_REQUEST_BYTES = 8;
const [targetPort, certFile, keyFile] = process.argv.slice(2);
const context =
  certFile && keyFile
    ? createSecureContext({ cert: readFileSync(certFile, "utf8"), key: readFileSync(keyFile, "utf8") })
    : undefined;

const server = createServer((client) => {
  client.on("error", () => client.destroy());
  if (!context) {
    pump(client);
    return;
  }
  client.once("data", (request) => {
    if (request.length !== SSL_REQUEST_BYTES) {
      client.destroy();
      return;
    }
    client.write("S");
    const secure = new TLSSocket(client, { isServer: true, secureContext: context });
    secure.on("error", () => client.destroy());
    pump(secure);
  });
});
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  if (address && typeof address === "object") process.stdout.write(`${address.port}\n`);
});

function pump(client: Socket): void {
  const target = connect(Number(targetPort), "127.0.0.1");
  client.setNoDelay(true);
  target.setNoDelay(true);
  target.on("error", () => client.destroy());
  client.on("close", () => target.destroy());
  target.on("close", () => client.destroy());
  client.pipe(target).pipe(client);
}
