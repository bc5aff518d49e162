import { html } from "hono/html";
import type { Principal } from "../../core/identity/principal.ts";
import type { SessionRow } from "../../core/ports/session-store.ts";
import { formatInstant } from "../../core/recording/line-format.ts";
import { visible } from "../../core/recording/visible.ts";
import { type Markup, page } from "../shared/html.ts";
import type { SessionsPage } from "./session-list.ts";

interface Listing extends SessionsPage {
  readonly principal: Principal;
  /** Sees everybody's sessions, and so may filter by person. */
  readonly seesAll: boolean;
  /** The query as it was asked, to fill the form and to ask on. */
  readonly asked: Readonly<Record<string, string>>;
}

/** The list of sessions with its filters. */
export function listPage(listing: Listing): Markup {
  const { principal, seesAll, rows } = listing;
  const whose = seesAll ? "Everybody's sessions" : "Your sessions";
  const body = html`<p class="muted">${whose}, newest first. Times are in UTC.</p>
    ${filters(listing)} ${rows.length === 0 ? html`<p>There is no session that fits.</p>` : table(rows)}
    ${older(listing)}`;
  return page({ title: "Sessions", principal, body });
}

function filters({ asked, seesAll }: Listing): Markup {
  const live = asked["live"] ?? "";
  const option = (value: string, text: string): Markup =>
    html`<option value="${value}" ${value === live ? "selected" : ""}>${text}</option>`;
  const input = (name: string, label: string, placeholder: string): Markup =>
    html`<label>${label} <input name="${name}" value="${asked[name] ?? ""}" placeholder="${placeholder}" /></label>`;
  return html`<form class="card row" method="get" action="/sessions">
    ${input("connection", "Connection", "shop")} ${seesAll ? input("person", "Person's id", "issuer|subject") : ""}
    ${input("from", "From", "2026-11-22")} ${input("to", "Before", "2026-11-23T12:00")}
    <label>
      State
      <select name="live">
        ${option("", "live and closed")} ${option("true", "live")} ${option("false", "closed")}
      </select>
    </label>
    <button type="submit">Filter</button>
  </form>`;
}

function table(rows: readonly SessionRow[]): Markup {
  return html`<div class="scroll">
    <table>
      <thead>
        <tr>
          <th>Started</th>
          <th>Who</th>
          <th>Connection</th>
          <th>Client</th>
          <th>Statements</th>
          <th>State</th>
        </tr>
      </thead>
      <tbody>
        ${rows.map(tableRow)}
      </tbody>
    </table>
  </div>`;
}

function tableRow(row: SessionRow): Markup {
  const who = `/sessions?person=${encodeURIComponent(row.principalId)}`;
  const where = `/sessions?connection=${encodeURIComponent(row.connection)}`;
  return html`<tr>
    <td><a href="/sessions/${row.id}">${formatInstant(row.startedAt)}</a></td>
    <td><a href="${who}">${visible(row.principalName)}</a>${throughOf(row)}</td>
    <td><a href="${where}">${visible(row.connection)}</a></td>
    <td>${visible(row.client)}</td>
    <td class="number">${row.closing?.statements ?? ""}</td>
    <td>${row.closing ? row.closing.reason : html`<span class="good">live</span>`}</td>
  </tr>`;
}

function throughOf({ actors }: SessionRow): Markup | string {
  return actors === undefined ? "" : html` <span class="muted">through ${visible(actors.join(", for "))}</span>`;
}

function older({ asked, next }: Listing): Markup | string {
  if (next === null) return "";
  const query = new URLSearchParams({ ...asked, after: next });
  return html`<p><a href="/sessions?${query.toString()}">Older sessions</a></p>`;
}
