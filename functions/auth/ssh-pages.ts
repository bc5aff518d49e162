import { html } from "hono/html";
import type { Principal } from "../../core/identity/principal.ts";
import { SSH_KEY_SIGN_IN_MS, sshKeyId } from "../../core/identity/ssh-key.ts";
import { SSH_KEY_NAMESPACE } from "../../core/identity/ssh-signature.ts";
import type { SshKey } from "../../core/ports/ssh-key-store.ts";
import { type Markup, moment, page } from "../shared/html.ts";
import { shellQuoted } from "./shell-quoted.ts";
import type { HostKey } from "./ssh-address.ts";

const HOUR_MS = 60 * 60 * 1000;

interface SshKeys {
  readonly principal: Principal;
  readonly keys: readonly SshKey[];
  /** What this person has to sign to register one. */
  readonly statement: string;
  readonly hostKey: HostKey | undefined;
}

/** The public keys by which a person signs in with ssh. */
export function sshKeysPage({ principal, keys, statement, hostKey }: SshKeys): Markup {
  const body = html`<p>
      With a key of yours, ssh needs no link and no pass. A key is good for ${SSH_KEY_SIGN_IN_MS / HOUR_MS} hours after
      you last signed in here; then sign in again.
    </p>
    ${keys.length === 0 ? html`<p>You have registered no key.</p>` : keyTable(keys)}
    <h2>Register a key</h2>
    <p>
      <code>sallyport ssh-key add</code> does it. Without it: run this where the key is, with its name, and paste what
      it prints. It proves that the key is yours, and has the public key in it.
    </p>
    <pre>${signingCommand(statement)}</pre>
    <form class="card row" method="post" action="/ssh-keys">
      <label
        >Signature
        <textarea
          name="signature"
          rows="6"
          cols="72"
          required
          spellcheck="false"
          placeholder="-----BEGIN SSH SIGNATURE-----"
        ></textarea>
      </label>
      <label>Label <input name="label" maxlength="100" placeholder="laptop" /></label>
      <button type="submit">Register</button>
    </form>
    ${hostKey === undefined ? "" : hostKeySection(hostKey)}`;
  return page({ title: "SSH keys", principal, body });
}

function signingCommand(statement: string): string {
  return `printf %s ${shellQuoted(statement)} | ssh-keygen -Y sign -n ${SSH_KEY_NAMESPACE} -f ~/.ssh/id_ed25519`;
}

function keyTable(keys: readonly SshKey[]): Markup {
  return html`<div class="scroll">
    <table>
      <thead>
        <tr>
          <th>Label</th>
          <th>Type</th>
          <th>Fingerprint</th>
          <th>Registered</th>
          <th></th>
        </tr>
      </thead>
      <tbody>
        ${keys.map(
          ({ fingerprint, type, label, registeredAt }) =>
            html`<tr>
              <td>${label || html`<span class="muted">without</span>`}</td>
              <td>${type}</td>
              <td><code>${fingerprint}</code></td>
              <td>${moment(registeredAt)}</td>
              <td>
                <form method="post" action="/ssh-keys/${sshKeyId(fingerprint)}/remove">
                  <button class="deny" type="submit">Remove</button>
                </form>
              </td>
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

/** How a person knows that it is the gateway which answers their ssh. */
export function hostKeySection({ fingerprint, knownHosts }: HostKey): Markup {
  return html`<h2>The gateway's own key</h2>
    <p>ssh must show <code>${fingerprint}</code>. With this line in ~/.ssh/known_hosts it checks by itself:</p>
    <pre>${knownHosts}</pre>`;
}
