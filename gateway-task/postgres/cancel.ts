import type { PostgresConnection } from "../../core/config/connections.ts";
import type { CancelTarget } from "../../core/ports/cancel-keys.ts";
import { openTarget } from "./target.ts";

const CANCEL_CODE = 80877102;

/** Passes a CancelRequest (§54.2.8) on to a target, encrypted if the connection is. The target answers by closing. */
export async function cancelAtTarget(
  connection: PostgresConnection,
  { processId, secret }: CancelTarget,
  signal: AbortSignal,
): Promise<void> {
  const { socket } = await openTarget(connection.target, signal);
  const request = Buffer.alloc(12 + secret.length);
  request.writeUInt32BE(request.length, 0);
  request.writeUInt32BE(CANCEL_CODE, 4);
  request.writeInt32BE(processId, 8);
  request.set(secret, 12);
  await new Promise<void>((done) => {
    socket.on("error", () => {});
    socket.on("close", () => done());
    signal.addEventListener("abort", () => socket.destroy());
    socket.end(request);
    socket.resume();
  });
}
