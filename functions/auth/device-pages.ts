import { html } from "hono/html";
import type { Instant } from "../../core/brand.ts";
import { showUserCode } from "../../core/identity/device-sign-in.ts";
import type { Principal } from "../../core/identity/principal.ts";
import type { DeviceRow } from "../../core/ports/sign-in-store.ts";
import { type Markup, page } from "../shared/html.ts";

const TITLE = "Sign in a terminal";

/** Where a person types the code that a terminal shows. */
export function enterCodePage(principal: Principal): Markup {
  const body = html`<form class="card row" method="get" action="/auth/device">
    <label
      >Code that the terminal shows
      <input name="user_code" autocomplete="off" autocapitalize="characters" required maxlength="20"
    /></label>
    <button type="submit">Continue</button>
  </form>`;
  return page({ title: TITLE, principal, body });
}

/** Who asks, from where, with which code (RFC 8628 §5.4: so that nobody approves what somebody else started). */
export function reviewPage(principal: Principal, row: DeviceRow, now: Instant): Markup {
  const minutes = Math.max(1, Math.ceil((row.expiresAt - now) / 60_000));
  const body = html`<p>${askedFor(principal, row)}</p>
    <div class="card">
      <dl>
        <dt>Code</dt>
        <dd class="code">${showUserCode(row.userCode)}</dd>
        <dt>Calls itself</dt>
        <dd>${row.label}</dd>
        <dt>Asks from</dt>
        <dd>${row.address}</dd>
        <dt>Waits for</dt>
        <dd>${minutes} more min</dd>
      </dl>
    </div>
    <p><strong>Approve only if you started this yourself just now</strong>, and your terminal shows the same code.</p>
    <form class="row" method="post" action="/auth/device/decision">
      <input type="hidden" name="user_code" value="${showUserCode(row.userCode)}" />
      <button type="submit" name="decision" value="approve">Approve</button>
      <button class="deny" type="submit" name="decision" value="deny">Deny</button>
    </form>`;
  return page({ title: TITLE, principal, body });
}

/** Only the gateway itself asks for a connection: a program that calls itself ssh gets the first of the two. */
function askedFor({ name }: Principal, { connection }: DeviceRow): Markup {
  if (connection === undefined)
    return html`A program asks to act as <strong>${name}</strong>: to get passes and to read what you may read.`;
  return html`Somebody at an SSH client asks to open <strong>${connection}</strong> as <strong>${name}</strong>.`;
}

export function decidedPage(principal: Principal, decision: "approve" | "deny"): Markup {
  const body =
    decision === "approve"
      ? html`<p class="good">Approved. Go back to your terminal; it continues in a few seconds.</p>`
      : html`<p>Denied. The program that asked gets nothing.</p>`;
  return page({ title: TITLE, principal, body });
}
