import { once } from "node:events";
import net from "node:net";

/** A TCP server that does as a test says with each connection. */
export interface FakeTarget {
  readonly host: "127.0.0.1";
  readonly port: number;
  /** What it does with the connections that come from now on. */
  behave: (socket: net.Socket) => void;
  close(): void;
}

export async function fakeTarget(behave: (socket: net.Socket) => void): Promise<FakeTarget> {
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
    target.behave(socket);
  });
  const target: FakeTarget = {
    host: "127.0.0.1",
    get port() {
      return (server.address() as net.AddressInfo).port;
    },
    behave,
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return target;
}
