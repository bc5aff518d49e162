import { html } from "hono/html";
import type { Principal } from "../../core/identity/principal.ts";
import type { KeptMail } from "../../core/ports/outbox.ts";
import { formatInstant } from "../../core/recording/line-format.ts";
import { visible, visibleLines } from "../../core/recording/visible.ts";
import { type Markup, page } from "../shared/html.ts";

/** The mails to one person that were kept instead of being sent. Links of this very site can be followed. */
export function outboxPage(principal: Principal, origin: string, mails: readonly KeptMail[]): Markup {
  const body = html`<p class="muted">This installation has no mail server: mails to you are kept here, newest first.</p>
    ${mails.length === 0 ? html`<p>There are none.</p>` : mails.map((mail) => mailMarkup(mail, origin))}`;
  return page({ title: "Mails to you", principal, body });
}

function mailMarkup({ at, subject, text }: KeptMail, origin: string): Markup {
  return html`<section class="card">
    <p class="muted">${formatInstant(at)}</p>
    <h2>${visible(subject)}</h2>
    <pre>${visibleLines(text).flatMap((line) => [linked(line, origin), "\n"])}</pre>
  </section>`;
}

function linked(line: string, origin: string): Markup | string {
  const ours = line.startsWith(`${origin}/`) && !/\s/.test(line);
  return ours ? html`<a href="${line.slice(origin.length)}">${line}</a>` : line;
}
