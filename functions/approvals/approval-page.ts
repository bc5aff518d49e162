import { html } from "hono/html";
import { presentable, WANTS } from "../../core/approval/presentable.ts";
import type { Principal } from "../../core/identity/principal.ts";
import type { Answer, Approval, ApprovalStatus } from "../../core/ports/approval-store.ts";
import { formatInstant } from "../../core/recording/line-format.ts";
import { visible } from "../../core/recording/visible.ts";
import { type Markup, page } from "../shared/html.ts";
import type { SeenApproval } from "./people-desk.ts";

/** Longer than any statement that the desk takes: what is decided on is shown in full. */
const MAX_SHOWN = 1 << 20;

/** What each state is to whoever reads it. */
export const STATES: Readonly<Record<ApprovalStatus, { readonly words: string; readonly style: string }>> = {
  requested: { words: "waits for a decision", style: "" },
  granted: { words: "granted, not used yet", style: "good" },
  denied: { words: "denied", style: "danger" },
  expired: { words: "expired", style: "muted" },
  cancelled: { words: "cancelled", style: "muted" },
  used: { words: "granted and used", style: "good" },
  revoked: { words: "granted, then revoked", style: "danger" },
};

interface Shown {
  readonly principal: Principal;
  readonly seen: SeenApproval;
  /** Of the mail's link, where one came by it: it goes along with the decision. */
  readonly token: string | undefined;
}

/** What is asked, by whom, where, why, until when, and the forms that decide. */
export function approvalPage({ principal, seen, token }: Shown): Markup {
  const { approval } = seen;
  const { text, cut } = presentable(approval.shown, MAX_SHOWN);
  const body = html`${about(approval)}
    <h2>What is asked</h2>
    <pre>${text}</pre>
    ${cut > 0 ? html`<p class="danger">${cut} more characters are not shown.</p>` : ""}
    <p class="muted">
      What looks like a secret is taken out, and characters that do not show are named. A consent is for these very
      bytes and no others: SHA-256 <code>${approval.digest}</code>.
    </p>
    ${answers(approval.answers)} ${forms(seen, principal, token)}
    <p><a href="/approvals">All approvals</a></p>`;
  return page({ title: "Approval", principal, body });
}

function about(approval: Approval): Markup {
  const { requester, connection, environment, client, session, reason, policies, consents, closed } = approval;
  const { words, style } = STATES[approval.status];
  const rows: [string, Markup | string][] = [
    ["State", html`<span class="${style}">${words}</span>`],
    ["Who", html`${visible(requester.name)} <span class="muted">${visible(requester.id)}</span>`],
    ["Wants to", WANTS[approval.kind]],
    ["Where", `${visible(connection)}, environment ${visible(environment)}`],
    ["From", visible(client)],
    ["Why it is held", visible(reason)],
    ["By policy", visible(policies.join(", "))],
    ["Consents needed", consents.map(({ group, count }) => `${count} of ${visible(group)}`).join(" and ")],
    ["Asked", formatInstant(approval.requestedAt)],
    ["Until", formatInstant(approval.expiresAt)],
  ];
  const { actors = [] } = requester;
  if (actors.length > 0) rows.splice(2, 0, ["Through", visible(actors.join(", for "))]);
  if (session !== undefined) rows.push(["Session", html`<code>${session}</code>`]);
  if (closed) rows.push(["Ended", `${formatInstant(closed.at)}${closed.by ? ` by ${visible(closed.by.name)}` : ""}`]);
  return html`<dl class="card">
    ${rows.map(
      ([name, value]) =>
        html`<dt>${name}</dt>
          <dd>${value}</dd>`,
    )}
  </dl>`;
}

function answers(given: readonly Answer[]): Markup | string {
  if (given.length === 0) return "";
  return html`<h2>Answers</h2>
    <ul>
      ${given.map(
        ({ by, consents, words, at }) =>
          html`<li>
            <span class="${consents ? "good" : "danger"}">${consents ? "Consents" : "Refuses"}</span>:
            ${visible(by.name)}, ${formatInstant(at)}${words === "" ? "" : html`: “${visible(words)}”`}
          </li>`,
      )}
    </ul>`;
}

function forms({ approval, ...may }: SeenApproval, principal: Principal, token: string | undefined): Markup {
  const path = `/approvals/${approval.id}`;
  const waits = approval.status === "requested";
  return html`${may.mayDecide ? decisionForm(path, token) : waits ? html`<p>${whyNot(approval, principal)}</p>` : ""}
  ${may.mayCancel ? buttonForm(`${path}/cancel`, "Cancel my request") : ""}
  ${may.mayRevoke ? buttonForm(`${path}/revoke`, "Revoke the consent") : ""}`;
}

function whyNot(approval: Approval, principal: Principal): string {
  if (approval.requester.id === principal.id) return "This is your own request: others decide on it.";
  const answered = approval.answers.some(({ by }) => by.id === principal.id);
  return answered ? "You have consented. Others must, too." : "You cannot decide on this request.";
}

function decisionForm(path: string, token: string | undefined): Markup {
  return html`<h2>Decide</h2>
    <form class="card" method="post" action="${path}/decision">
      ${token === undefined ? "" : html`<input type="hidden" name="token" value="${token}" />`}
      <label>In your words <input name="words" maxlength="500" size="60" autocomplete="off" /></label>
      <p class="muted">Whoever asked reads them, and they are kept.</p>
      <div class="row">
        <button type="submit" name="decision" value="approve">Approve</button>
        <button class="deny" type="submit" name="decision" value="deny">Deny</button>
      </div>
    </form>`;
}

function buttonForm(action: string, words: string): Markup {
  return html`<form class="row" method="post" action="${action}">
    <button class="deny" type="submit">${words}</button>
  </form>`;
}
