import { once } from "node:events";
import net, { type AddressInfo } from "node:net";

/** Passes connections on to an engine, or, while it is down, resets them. */
export async function breakable(endpoint: string) {
  const { hostname, port } = new URL(endpoint);
  const live = new Set<net.Socket>();
  const fault = { down: false, refused: 0 };
  const server = net.createServer((near) => {
    near.on("error", () => {});
    if (fault.down) {
      fault.refused += 1;
      near.resetAndDestroy();
      return;
    }
    const far = net.connect(Number(port), hostname);
    far.on("error", () => near.destroy());
    far.on("close", () => near.destroy());
    near.on("close", () => {
      far.destroy();
      live.delete(near);
    });
    live.add(near);
    near.pipe(far).pipe(near);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    /** Where it stands in for the engine. */
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    fault,
    fail() {
      fault.down = true;
      for (const socket of live) socket.resetAndDestroy();
    },
    mend() {
      fault.down = false;
    },
    close() {
      server.close();
      for (const socket of live) socket.destroy();
    },
  };
}

export type Breakable = Awaited<ReturnType<typeof breakable>>;
