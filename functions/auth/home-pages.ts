import { html } from "hono/html";
import type { Instant } from "../../core/brand.ts";
import type { PassText } from "../../core/identity/pass.ts";
import type { Principal } from "../../core/identity/principal.ts";
import type { Pass } from "../../core/ports/pass-store.ts";
import { type Markup, moment, page } from "../shared/html.ts";
import { CA_FILE, conninfo } from "./conninfo.ts";
import type { ConnectionSummary, GatewayAddress } from "./deps.ts";
import { statusOf } from "./passes.ts";
import { shellQuoted } from "./shell-quoted.ts";
import { hostKeyOf, sshCommand } from "./ssh-address.ts";
import { hostKeySection } from "./ssh-pages.ts";

interface Home {
  readonly principal: Principal;
  readonly connections: readonly ConnectionSummary[];
  readonly passes: readonly Pass[];
  /** What the form for a pass is filled in with. */
  readonly wish: Wish;
  readonly gateway: GatewayAddress;
  readonly now: Instant;
}

interface Wish {
  /** Empty: every connection. */
  readonly connection: string;
  readonly label: string;
}

/** What a person holds and what they may reach. */
export function homePage({ principal, connections, passes, wish, gateway, now }: Home): Markup {
  const groups = principal.groups.length === 0 ? "no group" : principal.groups.join(", ");
  const body = html`<p class="muted">Signed in as ${principal.name}, member of ${groups}.</p>
    <h2>Get a pass</h2>
    ${newPassForm(connections, wish)}
    <h2>Connections</h2>
    ${connections.length === 0 ? html`<p>None of your groups has access to a connection.</p>` : connectionTable(connections, gateway)}
    <h2>Your passes</h2>
    ${passes.length === 0 ? html`<p>You have no passes yet.</p>` : passTable(passes, now)}
    <p><a href="/sessions">Recorded sessions</a></p>`;
  return page({ title: "Home", principal, body });
}

function newPassForm(connections: readonly ConnectionSummary[], wish: Wish): Markup {
  return html`<form class="card row" method="post" action="/passes">
    <label>
      For
      <select name="connection">
        <option value="">every connection of mine</option>
        ${connections.map(({ name }) => html`<option value="${name}" ${name === wish.connection ? "selected" : ""}>${name}</option>`)}
      </select>
    </label>
    <label>Label <input name="label" maxlength="100" placeholder="laptop" value="${wish.label}" /></label>
    <button type="submit">Get a pass</button>
    <span class="muted">It takes the place of a password and is good for an hour.</span>
  </form>`;
}

function connectionTable(connections: readonly ConnectionSummary[], gateway: GatewayAddress): Markup {
  return html`<div class="scroll">
      <table>
        <thead>
          <tr>
            <th>Name</th>
            <th>What it is</th>
            <th>How to open it</th>
          </tr>
        </thead>
        <tbody>
          ${connections.map(
            (connection) =>
              html`<tr>
                <td>${connection.name}</td>
                <td>${connection.description}</td>
                <td>${command(gateway, connection)}</td>
              </tr>`,
          )}
        </tbody>
      </table>
    </div>
    ${connections.some(({ protocol }) => protocol === "postgres") ? authorityNote() : ""}
    ${connections.some(({ protocol }) => protocol === "ssh") ? sshNote(gateway) : ""}`;
}

function authorityNote(): Markup {
  return html`<p class="muted">
    Keep <a href="/api/ca.pem">${CA_FILE}</a>, the gateway's certificate authority, where you run psql; give a pass as
    the password.
  </p>`;
}

function sshNote(gateway: GatewayAddress): Markup {
  const hostKey = hostKeyOf(gateway);
  return html`<p class="muted">
      ssh lets you in by a link that it shows, by a pass as the password, or by <a href="/ssh-keys">a key of yours</a>.
    </p>
    ${hostKey === undefined ? "" : hostKeySection(hostKey)}`;
}

function passTable(passes: readonly Pass[], now: Instant): Markup {
  return html`<div class="scroll">
    <table>
      <thead>
        <tr>
          <th>Label</th>
          <th>For</th>
          <th>Issued</th>
          <th>Expires</th>
          <th>State</th>
          <th></th>
        </tr>
      </thead>
      <tbody>
        ${passes.map((pass) => passRow(pass, now))}
      </tbody>
    </table>
  </div>`;
}

function passRow(pass: Pass, now: Instant): Markup {
  const status = statusOf(pass, now);
  return html`<tr>
    <td>${pass.label || html`<span class="muted">without</span>`}</td>
    <td>${pass.connection ?? "every connection"}</td>
    <td>${moment(pass.issuedAt)}</td>
    <td>${moment(pass.expiresAt)}</td>
    <td class="${status === "live" ? "good" : "muted"}">${status}</td>
    <td>${status === "live" ? revokeForm(pass) : ""}</td>
  </tr>`;
}

function revokeForm(pass: Pass): Markup {
  return html`<form method="post" action="/passes/${pass.id}/revoke">
    <button class="deny" type="submit">Revoke</button>
  </form>`;
}

interface Issued {
  readonly principal: Principal;
  readonly pass: Pass;
  readonly text: PassText;
  readonly connections: readonly ConnectionSummary[];
  readonly gateway: GatewayAddress;
}

/** The only page that ever shows a pass. */
export function newPassPage({ principal, pass, text, connections, gateway }: Issued): Markup {
  const usable = connections.filter(({ name }) => pass.connection === undefined || pass.connection === name);
  const body = html`<p>Copy it now: it is shown this once. It expires at ${moment(pass.expiresAt)}.</p>
    <pre>${text}</pre>
    ${usable.map(
      (connection) =>
        html`<p>${connection.name}</p>
          ${command(gateway, connection, "pre")}`,
    )}
    <p><a href="/">Home</a></p>`;
  return page({ title: "Your pass", principal, body });
}

/** What a person types to open it. */
function command(gateway: GatewayAddress, connection: ConnectionSummary, as: "code" | "pre" = "code"): Markup {
  const text = commandLine(gateway, connection);
  if (text === undefined) return html`<span class="muted">not now: the gateway takes no SSH connections</span>`;
  return as === "pre" ? html`<pre>${text}</pre>` : html`<code>${text}</code>`;
}

function commandLine(gateway: GatewayAddress, connection: ConnectionSummary): string | undefined {
  if (connection.protocol === "postgres") return `psql ${shellQuoted(conninfo(gateway, connection))}`;
  return gateway.ssh && sshCommand(gateway.host, gateway.ssh, connection);
}
