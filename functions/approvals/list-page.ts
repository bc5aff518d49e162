import { html } from "hono/html";
import { presentable } from "../../core/approval/presentable.ts";
import type { Principal } from "../../core/identity/principal.ts";
import type { ApprovalId } from "../../core/ports/approval-desk.ts";
import { formatInstant } from "../../core/recording/line-format.ts";
import { visible } from "../../core/recording/visible.ts";
import { type Markup, page } from "../shared/html.ts";
import { STATES } from "./approval-page.ts";
import type { SeenApproval } from "./people-desk.ts";

const MAX_SUMMARY = 100;

interface Listing {
  readonly principal: Principal;
  /** What this person may decide on or cancel now. */
  readonly waiting: readonly SeenApproval[];
  readonly history: readonly SeenApproval[];
  readonly next: ApprovalId | null;
  readonly hasOutbox: boolean;
}

/** What waits for a person, what they wait for, and what was. */
export function listPage({ principal, waiting, history, next, hasOutbox }: Listing): Markup {
  const forMe = waiting.filter(({ mayDecide }) => mayDecide);
  const mine = waiting.filter(({ mayCancel, approval }) => mayCancel && approval.status === "requested");
  const body = html`<h2>Waiting for you</h2>
    ${forMe.length === 0 ? html`<p>Nothing waits for you.</p>` : table(forMe)}
    ${
      mine.length === 0
        ? ""
        : html`<h2>Your requests that wait</h2>
            ${table(mine)}`
    }
    <h2>History</h2>
    ${history.length === 0 ? html`<p>There is nothing yet.</p>` : table(history)}
    ${next === null ? "" : html`<p><a href="/approvals?after=${next}">Older ones</a></p>`}
    ${hasOutbox ? html`<p><a href="/outbox">Mails to you that were kept here</a></p>` : ""}`;
  return page({ title: "Approvals", principal, body });
}

function table(items: readonly SeenApproval[]): Markup {
  return html`<div class="scroll">
    <table>
      <thead>
        <tr>
          <th>Asked</th>
          <th>Who</th>
          <th>Where</th>
          <th>What</th>
          <th>Until</th>
          <th>State</th>
        </tr>
      </thead>
      <tbody>
        ${items.map(row)}
      </tbody>
    </table>
  </div>`;
}

function row({ approval }: SeenApproval): Markup {
  const { words, style } = STATES[approval.status];
  const what = presentable(approval.shown, MAX_SUMMARY);
  return html`<tr>
    <td><a href="/approvals/${approval.id}">${formatInstant(approval.requestedAt)}</a></td>
    <td>${visible([approval.requester.name, ...(approval.requester.actors ?? [])].join(" through "))}</td>
    <td>${visible(approval.connection)}</td>
    <td><code>${what.text}${what.cut > 0 ? "…" : ""}</code></td>
    <td>${formatInstant(approval.expiresAt)}</td>
    <td class="${style}">${words}</td>
  </tr>`;
}
