import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import type { Step } from "./interpreter-kit.ts";

export interface Capture {
  readonly port: number;
  /** Sessions in the order in which they began: what the gateway's recorder would have seen of each. */
  readonly sessions: Step[][];
  close(): Promise<void>;
}

const AUTHENTICATION_OK = Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 0]);

/** A proxy in front of a server that lets its clients in without a password. It keeps what passes after AuthenticationOk. */
export async function capture(target: { host: string; port: number }): Promise<Capture> {
  const sessions: Step[][] = [];
  const sockets = new Set<Socket>();
  const proxy = createServer((client) => {
    const server = connect(target.port, target.host);
    const steps: Step[] = [];
    let authenticated = false;
    sessions.push(steps);
    for (const socket of [client, server]) {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.on("error", () => {});
    }
    client.on("data", (bytes) => {
      if (authenticated) steps.push({ to: "server", bytes });
      server.write(bytes);
    });
    server.on("data", (bytes) => {
      const answer = authenticated ? bytes : behindAuthentication(bytes);
      authenticated ||= answer !== undefined;
      if (answer !== undefined) steps.push({ to: "client", bytes: answer });
      client.write(bytes);
    });
    client.on("close", () => server.destroy());
    server.on("close", () => client.end());
  });
  proxy.listen(0, "127.0.0.1");
  await once(proxy, "listening");
  return {
    port: (proxy.address() as AddressInfo).port,
    sessions,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      proxy.close();
      await once(proxy, "close");
    },
  };
}

/** A server that trusts its clients says AuthenticationOk at once, and at the beginning of what it sends. */
function behindAuthentication(bytes: Buffer): Buffer | undefined {
  return bytes.subarray(0, AUTHENTICATION_OK.length).equals(AUTHENTICATION_OK)
    ? bytes.subarray(AUTHENTICATION_OK.length)
    : undefined;
}
