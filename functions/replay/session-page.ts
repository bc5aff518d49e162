import { html } from "hono/html";
import type { Principal } from "../../core/identity/principal.ts";
import type { SessionRow } from "../../core/ports/session-store.ts";
import type { SessionEvent, StatementEvent } from "../../core/recording/events.ts";
import type { RecordedEvent } from "../../core/recording/reader.ts";
import type { ResultTable } from "../../core/recording/table.ts";
import { formatDuration, formatInstant, formatOffset } from "../../core/recording/line-format.ts";
import { eventLines, formatOutcome, parameterLines } from "../../core/recording/transcript.ts";
import { visible, visibleLines } from "../../core/recording/visible.ts";
import { commandMarkup } from "./command-markup.ts";
import { cut, MAX_SUMMARY, MAX_TEXT, summaryOf } from "./summary.ts";
import { type Markup, page } from "../shared/html.ts";
import type { Page } from "./paging.ts";

export interface ShownEvent extends RecordedEvent {
  /** The first rows of a statement's results. */
  readonly tables: readonly ResultTable[];
  /** The first lines of what a command wrote. */
  readonly lines: readonly string[];
}

interface Replay {
  readonly principal: Principal;
  readonly row: SessionRow;
  readonly after: number;
  readonly page: Page<ShownEvent>;
}

/** A session: who, when, and what happened, a page of events at a time. */
export function sessionPage({ principal, row, after, page: events }: Replay): Markup {
  const api = `/api/sessions/${row.id}`;
  const listed = row.protocol === "ssh" ? "events" : "statements";
  const body = html`${about(row)}
    <p>
      <a href="${api}/transcript?rows=10">Transcript</a> · <a href="${api}/${listed}">${listed}</a> ·
      <a href="${api}/frames">raw frames</a> · <a href="${api}/manifest">signed manifest</a> ·
      <a href="${api}/verify">verify</a>
    </p>
    <h2>What happened</h2>
    ${after > 0 ? html`<p><a href="/sessions/${row.id}">Back to the start</a></p>` : ""}
    ${events.items.map((shown) => eventMarkup(row, shown))} ${end(row, events)}`;
  return page({ title: `Session on ${visible(row.connection)}`, principal, body });
}

function about(row: SessionRow): Markup {
  const { closing } = row;
  const ended = closing
    ? html`<dt>Ended</dt>
        <dd>${formatInstant(closing.endedAt)}: ${closing.reason}</dd>
        <dt>${row.protocol === "ssh" ? "Commands" : "Statements"}</dt>
        <dd>${closing.statements}</dd>
        <dt>Bytes</dt>
        <dd>${closing.bytesFromClient} from the client, ${closing.bytesFromTarget} to it</dd>
        <dt>Recording</dt>
        <dd>${closing.chunks} chunks; the last one's SHA-256 is <code>${closing.head}</code></dd>`
    : html`<dt>State</dt>
        <dd class="good">live: this is what has been stored so far</dd>`;
  return html`<dl class="card">
    <dt>Session</dt>
    <dd><code>${row.id}</code></dd>
    <dt>Who</dt>
    <dd>${visible(row.principalName)} <span class="muted">${visible(row.principalId)}</span></dd>
    ${
      row.actors === undefined
        ? ""
        : html`<dt>Through</dt>
            <dd>${visible(row.actors.join(", for "))}</dd>`
    }
    <dt>Client</dt>
    <dd>${visible(row.client)}</dd>
    <dt>Started</dt>
    <dd>${formatInstant(row.startedAt)}</dd>
    ${ended}
  </dl>`;
}

function end(row: SessionRow, { items, next, cursor, fault }: Page<ShownEvent>): Markup {
  if (fault !== undefined)
    return html`<p class="card danger">The recording cannot be read further: ${visible(fault)}.</p>`;
  if (next !== null) return html`<p><a href="/sessions/${row.id}?after=${next}">What happened next</a></p>`;
  if (row.closing === undefined)
    return html`<p class="card">
      ${cursor === 0 ? "The session is live, and nothing is stored yet." : "The session is live: so far for now."}
      <a href="/sessions/${row.id}?after=${cursor}">Look for more</a>
    </p>`;
  if (items.at(-1)?.event.type === "session-closed") return html`<p class="muted">The session ends here.</p>`;
  const why =
    cursor === 0 ? "Nothing of this session is stored." : "The recording ends without telling how the session closed.";
  return html`<p class="card danger">${why}</p>`;
}

function eventMarkup(row: SessionRow, { event, micros, tables, lines }: ShownEvent): Markup | string {
  if (event.type === "statement") return statementMarkup(row, event, tables);
  if (event.type === "command-ended") return commandMarkup(row, event, lines);
  const told = eventLines(event, micros).join("\n").trim();
  return told === "" ? "" : html`<pre class="${isAlarming(event) ? "danger" : "muted"}">${told}</pre>`;
}

function isAlarming({ type }: SessionEvent): boolean {
  return type === "gap" || type === "error" || type === "not-followed";
}

function statementMarkup(row: SessionRow, event: StatementEvent, tables: readonly ResultTable[]): Markup {
  const asked = [`#${event.number}`, formatOffset(event.askedAt)];
  if (event.duration !== undefined) asked.push(formatDuration(event.duration));
  const outcome = event.outcome === "completed" ? "good" : "danger";
  return html`<details class="card">
    <summary>
      <span class="muted">${asked.join(" · ")}</span> <code>${summaryOf(event.text)}</code>
      <span class="${outcome}">${formatOutcome(event)}</span>
    </summary>
    <pre>${cut(visibleLines(event.text).join("\n"), MAX_TEXT)}</pre>
    ${event.redacted ? html`<p class="muted">Secrets in it were replaced before it was stored.</p>` : ""}
    ${event.parameters?.length ? html`<pre>${parameterLines(event).join("\n")}</pre>` : ""} ${tables.map(tableMarkup)}
    <p><a href="/api/sessions/${row.id}/statements/${event.number}/rows">All of it as JSON</a></p>
  </details>`;
}

function tableMarkup({ columns, rows, more }: ResultTable): Markup {
  return html`<div class="scroll">
      <table>
        <thead>
          <tr>
            ${columns.map((name) => html`<th>${visible(name)}</th>`)}
          </tr>
        </thead>
        <tbody>
          ${rows.map(
            (row) =>
              html`<tr>
                ${row.map((value) =>
                  value === null
                    ? html`<td class="muted">NULL</td>`
                    : html`<td>${cut(visible(value), MAX_SUMMARY)}</td>`,
                )}
              </tr>`,
          )}
        </tbody>
      </table>
    </div>
    ${more ? html`<p class="muted">… and more rows</p>` : ""}`;
}
