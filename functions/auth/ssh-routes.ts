import { Hono } from "hono";
import { z } from "zod";
import { SallyportError } from "../../core/errors.ts";
import { sshKeyId } from "../../core/identity/ssh-key.ts";
import { SSH_KEY_NAMESPACE } from "../../core/identity/ssh-signature.ts";
import type { SshFingerprint, SshKey } from "../../core/ports/ssh-key-store.ts";
import { type AuthenticatedEnv, authenticated } from "../shared/authenticated.ts";
import { label, readBody } from "../shared/request.ts";
import type { AuthDeps } from "./deps.ts";
import { hostKeyOf } from "./ssh-address.ts";
import { registerKey, removeKey, statementFor } from "./ssh-keys.ts";
import { sshKeysPage } from "./ssh-pages.ts";

/** What is no signature may be long, and is told what it is. */
const pasted = z.string().max(32_768);
export const newKeyBody = z.strictObject({ signature: pasted, label: label.optional() });
const newKeyForm = z.object({ signature: pasted, label: label.default("") });

/** A key as programs see it; `id` names it in paths. */
export interface SshKeyView {
  readonly id: string;
  readonly fingerprint: SshFingerprint;
  readonly type: string;
  readonly label: string;
  readonly registeredAt: string;
}

/** One's public keys, as JSON and as a page with forms, and the gateway's own. */
export function sshRoutes(deps: AuthDeps): Hono<AuthenticatedEnv> {
  const signedIn = authenticated(deps);
  return new Hono<AuthenticatedEnv>()
    .get("/api/ssh-keys", signedIn, async (c) => {
      const principal = c.get("principal");
      const keys = (await deps.sshKeys.listFor(principal.id)).map(keyView);
      return c.json({ keys, statement: statementFor(deps, principal), namespace: SSH_KEY_NAMESPACE });
    })
    .post("/api/ssh-keys", signedIn, async (c) => {
      const { signature, label: named } = await readBody(c, newKeyBody);
      return c.json(
        keyView(await registerKey(deps, c.get("principal"), { signature, label: named ?? "" }, deps.clientAddress(c))),
        201,
      );
    })
    .delete("/api/ssh-keys/:id", signedIn, async (c) =>
      c.json(keyView(await removeKey(deps, c.get("principal"), c.req.param("id"), deps.clientAddress(c)))),
    )
    .get("/api/ssh-host-key", (c) => {
      const hostKey = hostKeyOf(deps.gateway);
      if (hostKey === undefined) throw new SallyportError("not-found", "this gateway takes no SSH connections");
      return c.json(hostKey);
    })
    .get("/ssh-keys", signedIn, async (c) => {
      const principal = c.get("principal");
      const keys = await deps.sshKeys.listFor(principal.id);
      const statement = statementFor(deps, principal);
      return c.html(sshKeysPage({ principal, keys, statement, hostKey: hostKeyOf(deps.gateway) }));
    })
    .post("/ssh-keys", signedIn, async (c) => {
      await registerKey(deps, c.get("principal"), await readBody(c, newKeyForm), deps.clientAddress(c));
      return c.redirect("/ssh-keys", 303);
    })
    .post("/ssh-keys/:id/remove", signedIn, async (c) => {
      await removeKey(deps, c.get("principal"), c.req.param("id"), deps.clientAddress(c));
      return c.redirect("/ssh-keys", 303);
    });
}

function keyView({ fingerprint, type, label: named, registeredAt }: SshKey): SshKeyView {
  return {
    id: sshKeyId(fingerprint),
    fingerprint,
    type,
    label: named,
    registeredAt: new Date(registeredAt).toISOString(),
  };
}
