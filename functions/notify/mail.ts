import { html } from "hono/html";
import type { Addressee } from "../../core/approval/addressees.ts";
import { presentable } from "../../core/approval/presentable.ts";
import type { Approval } from "../../core/ports/approval-store.ts";
import type { Mail } from "../../core/ports/mailer.ts";
import { formatInstant } from "../../core/recording/line-format.ts";
import { visible } from "../../core/recording/visible.ts";

/** Enough to know what it is about; the page shows all of it. */
const MAX_STATEMENT = 4_000;
/** Names, reasons, addresses. */
const MAX_FACT = 300;
/** RFC 5322 §2.1.1 recommends 78 characters a line; encoded ones count more. */
const MAX_SUBJECT = 120;

/** What an approver is sent: who asks what, where, why and until when, and where to decide. */
export async function approvalMail(approval: Approval, { name, email }: Addressee, link: string): Promise<Mail> {
  const facts = factsOf(approval);
  const statement = presentable(approval.shown, MAX_STATEMENT);
  const more = statement.cut > 0 ? `… and ${statement.cut} more characters: the page shows them.` : "";
  return {
    to: { name: fact(name), email },
    subject: presentable(`Consent needed: ${subjectOf(approval)}`, MAX_SUBJECT).text.replaceAll("\n", " "),
    text: textOf(facts, statement.text, more, link),
    html: await htmlOf(facts, statement.text, more, link),
  };
}

type Facts = readonly (readonly [label: string, value: string])[];

function subjectOf({ requester, connection, kind }: Approval): string {
  const what = kind === "connect" ? "wants to connect to" : "waits on";
  return `${fact(requester.name)} ${what} ${fact(connection)}`;
}

function factsOf(approval: Approval): Facts {
  const { requester, connection, environment, client, reason, policies, consents, requestedAt, expiresAt } = approval;
  const needed = consents.map(({ group, count }) => `${count} of ${group}`).join(" and ");
  const { actors = [] } = requester;
  return [
    ["Who", `${requester.name} (${requester.id})`],
    ...(actors.length === 0 ? [] : [["Through", actors.join(", for ")]]),
    ["Where", `${connection}, environment ${environment}, from ${client}`],
    ["Why it is held", reason],
    ["By policy", policies.join(", ")],
    ["Consents needed", `${needed}, by different people`],
    ["Asked at", formatInstant(requestedAt)],
    ["Until", formatInstant(expiresAt)],
  ].map(([label = "", value = ""]) => [label, fact(value)] as const);
}

function fact(text: string): string {
  const shown = visible(presentable(text, MAX_FACT + 1).text);
  return shown.length > MAX_FACT ? `${shown.slice(0, MAX_FACT)}…` : shown;
}

const NO_EFFECT =
  "Opening the link decides nothing: you sign in, read what is asked, and decide there. The link is for you alone.";

function textOf(facts: Facts, statement: string, more: string, link: string): string {
  const width = Math.max(...facts.map(([label]) => label.length));
  return [
    "Somebody waits for your consent.",
    "",
    ...facts.map(([label, value]) => `${label.padEnd(width)}  ${value}`),
    "",
    "What is asked:",
    "",
    ...statement.split("\n").map((line) => `    ${line}`),
    ...(more === "" ? [] : ["", more]),
    "",
    "Decide here:",
    link,
    "",
    NO_EFFECT,
    "",
  ].join("\n");
}

async function htmlOf(facts: Facts, statement: string, more: string, link: string): Promise<string> {
  const rows = facts.map(
    ([label, value]) =>
      html`<tr>
        <th align="left" valign="top">${label}</th>
        <td>${value}</td>
      </tr>`,
  );
  const markup = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <title>Consent needed</title>
      </head>
      <body>
        <p>Somebody waits for your consent.</p>
        <table cellpadding="4">
          ${rows}
        </table>
        <p>What is asked:</p>
        <pre>${statement}</pre>
        ${more === "" ? "" : html`<p>${more}</p>`}
        <p><a href="${link}">Read it and decide</a></p>
        <p>${NO_EFFECT}</p>
      </body>
    </html>`;
  return String(await markup);
}
