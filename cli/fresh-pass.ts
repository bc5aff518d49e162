import { hostname } from "node:os";
import { SallyportError } from "../core/errors.ts";
import type { Api } from "./api-client.ts";
import { type ConnectionView, connectionsView, newPassView, passView } from "./api-views.ts";

/** What may be opened under this name. Throws `connection-unknown`. */
export async function connectionOf(api: Api, name: string): Promise<ConnectionView> {
  const { connections } = await api.json({ path: "/api/connections" }, connectionsView);
  const connection = connections.find((one) => one.name === name);
  if (connection !== undefined) return connection;
  throw new SallyportError("connection-unknown", `there is no connection "${name}" for you`, {
    hint: "`sallyport connections` lists yours.",
  });
}

/**
 * Runs a client with a pass of its own, which is revoked when the client ends.
 * @param client what asks, such as `psql`
 */
export async function withFreshPass<T>(
  api: Api,
  connection: string,
  client: string,
  run: (pass: string) => Promise<T>,
): Promise<T> {
  const label = `${client} on ${hostname().slice(0, 60)}`;
  const issued = await api.json({ method: "POST", path: "/api/passes", body: { connection, label } }, newPassView);
  try {
    return await run(issued.pass);
  } finally {
    await revoke(api, issued.id);
  }
}

/** It was for this client only. Where it cannot be revoked it expires, and the client's own status counts. */
async function revoke(api: Api, id: string): Promise<void> {
  await api
    .json({ method: "DELETE", path: `/api/passes/${encodeURIComponent(id)}`, timeoutMs: REVOKE_TIMEOUT_MS }, passView)
    .catch(() => {});
}

/** Whoever has left a client wants the prompt back. */
const REVOKE_TIMEOUT_MS = 2_000;
