import type { SessionOpenedEvent } from "../recording/events.ts";
import { words } from "./bounded-text.ts";
import type { OcsfClass, OcsfEndpoint, OcsfFields } from "./ocsf.ts";

/** What every event of a session says: who, from where, to what. */
export interface SessionContext {
  readonly opened: SessionOpenedEvent;
  readonly class: Extract<OcsfClass, "datastore" | "ssh">;
  readonly fields: OcsfFields;
}

const MAX_PORT = 65_535;

/** `address:port`, the address of IPv6 with brackets or without. */
function endpointOf(client: string): OcsfEndpoint {
  const at = client.lastIndexOf(":");
  const port = Number(client.slice(at + 1));
  const ip = client.slice(0, at).replace(/^\[(.*)\]$/, "$1");
  const known = at > 0 && /^[0-9a-fA-F.:]+$/.test(ip) && Number.isInteger(port) && port > 0 && port <= MAX_PORT;
  return known ? { ip, port } : { name: words(client) || "unknown" };
}

/** An address without a port, as an HTTP server knows it. */
export function addressOf(address: string): OcsfEndpoint {
  return /^[0-9a-fA-F.:]+$/.test(address) ? { ip: address } : { name: words(address) || "unknown" };
}

export function sessionContext(opened: SessionOpenedEvent): SessionContext {
  const { principal, target, connection, session, pass, startedAt } = opened;
  const groups = principal.groups.map((name) => ({ name }));
  const type = principal.kind === undefined ? {} : { type_id: principal.kind === "user" ? 1 : 4 };
  const user = {
    ...type,
    uid: principal.id,
    name: principal.name,
    credential_uid: pass,
    ...(groups.length > 0 && { groups }),
  };
  const fields: OcsfFields = {
    actor: { user, session: { uid: session, created_time: startedAt } },
    src_endpoint: endpointOf(opened.client),
    dst_endpoint: { hostname: target.host, port: target.port, svc_name: connection },
  };
  if (opened.protocol === "ssh") return { opened, class: "ssh", fields };
  const database = { name: target.database ?? connection, type_id: 1, type: "Relational" };
  return { opened, class: "datastore", fields: { ...fields, database } };
}
