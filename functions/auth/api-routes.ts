import { Hono } from "hono";
import { z } from "zod";
import type { Instant } from "../../core/brand.ts";
import type { Pass, PassId } from "../../core/ports/pass-store.ts";
import { type AuthenticatedEnv, authenticated } from "../shared/authenticated.ts";
import { label, readBody } from "../shared/request.ts";
import { type IssuingDeps, asFarAsKnown } from "./as-of-now.ts";
import { CA_FILE, conninfo } from "./conninfo.ts";
import type { ConnectionSummary, GatewayAddress } from "./deps.ts";
import { type PassStatus, accessibleTo, issuePass, listPasses, revokePass, statusOf } from "./passes.ts";
import { hostKeyOf, sshCommand } from "./ssh-address.ts";

export const newPassBody = z.strictObject({ connection: z.string().max(256).optional(), label: label.optional() });

/** A pass as programs see it: never its text, never its hash. Times are ISO 8601 in UTC. */
export interface PassView {
  readonly id: string;
  readonly connection: string | null;
  readonly label: string;
  readonly issuedAt: string;
  readonly expiresAt: string;
  readonly revokedAt: string | null;
  readonly status: PassStatus;
}

/** The JSON interface (but for public keys: ssh-routes.ts): who am I, my passes, my connections, the certificate authority. */
export function apiRoutes(deps: IssuingDeps): Hono<AuthenticatedEnv> {
  const signedIn = authenticated(deps);
  return new Hono<AuthenticatedEnv>()
    .get("/api/me", signedIn, (c) => {
      const { id, kind, name, groups } = c.get("principal");
      return c.json({ id, kind, name, groups, sessionExpiresAt: iso(c.get("token").expiresAt) });
    })
    .post("/api/passes", signedIn, async (c) => {
      const body = await readBody(c, newPassBody);
      const wish = { connection: body.connection, label: body.label ?? "" };
      const { pass, text } = await issuePass(deps, c.get("token"), wish, deps.clientAddress(c));
      return c.json({ ...passView(pass, deps.clock()), pass: text }, 201);
    })
    .get("/api/passes", signedIn, async (c) => {
      const passes = await listPasses(deps, c.get("principal"));
      return c.json({ passes: passes.map((pass) => passView(pass, deps.clock())) });
    })
    .delete("/api/passes/:id", signedIn, async (c) => {
      const revoked = await revokePass(deps, c.get("principal"), c.req.param("id") as PassId, deps.clientAddress(c));
      return c.json(passView(revoked, deps.clock()));
    })
    .get("/api/connections", signedIn, async (c) => {
      const connections = accessibleTo(deps, await asFarAsKnown(deps, c.get("principal")));
      return c.json({ connections: connections.map((connection) => connectionView(deps.gateway, connection)) });
    })
    .get("/api/ca.pem", (c) =>
      c.body(deps.gateway.caPem, 200, {
        "Content-Type": "application/x-pem-file",
        "Content-Disposition": `attachment; filename="${CA_FILE}"`,
      }),
    );
}

/** How to reach a connection; null for what there is none of while no SSH listener runs. */
function connectionView(gateway: GatewayAddress, connection: ConnectionSummary): Record<string, unknown> {
  const { name, protocol, description } = connection;
  const { host, port, ssh } = gateway;
  if (protocol === "postgres")
    return { name, protocol, description, host, port, conninfo: conninfo(gateway, connection) };
  const { fingerprint, knownHosts } = hostKeyOf(gateway) ?? { fingerprint: null, knownHosts: null };
  const command = ssh === undefined ? null : sshCommand(host, ssh, connection);
  return { name, protocol, description, host, port: ssh?.port ?? null, command, fingerprint, knownHosts };
}

function passView(pass: Pass, now: Instant): PassView {
  return {
    id: pass.id,
    connection: pass.connection ?? null,
    label: pass.label,
    issuedAt: iso(pass.issuedAt),
    expiresAt: iso(pass.expiresAt),
    revokedAt: pass.revokedAt === undefined ? null : iso(pass.revokedAt),
    status: statusOf(pass, now),
  };
}

function iso(at: Instant): string {
  return new Date(at).toISOString();
}
