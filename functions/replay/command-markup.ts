import { html } from "hono/html";
import type { SessionRow } from "../../core/ports/session-store.ts";
import { formatDuration, formatOffset } from "../../core/recording/line-format.ts";
import type { CommandEndedEvent } from "../../core/recording/ssh-events.ts";
import { formatEnd } from "../../core/recording/ssh-transcript.ts";
import { visibleLines } from "../../core/recording/visible.ts";
import type { Markup } from "../shared/html.ts";
import { cut, MAX_TEXT, summaryOf } from "./summary.ts";

/** A command of an SSH session that has ended, with the first lines of what it wrote. */
export function commandMarkup(row: SessionRow, event: CommandEndedEvent, lines: readonly string[]): Markup {
  const { number, channel, via, text, askedAt, duration, terminal } = event;
  const asked = [`#${number}`, `channel ${channel}`, formatOffset(askedAt)];
  if (duration !== undefined) asked.push(formatDuration(duration));
  const well = event.outcome === "exited" && event.status === 0;
  const cast = `/api/sessions/${row.id}/channels/${channel}/cast`;
  return html`<details class="card">
    <summary>
      <span class="muted">${asked.join(" · ")}</span> <code>${via === "shell" ? "shell" : summaryOf(text)}</code>
      <span class="${well ? "good" : "danger"}">${formatEnd(event)}</span>
    </summary>
    ${text === "" ? "" : html`<pre>${cut(visibleLines(text).join("\n"), MAX_TEXT)}</pre>`}
    ${event.redacted ? html`<p class="muted">Secrets in it were replaced before it was stored.</p>` : ""}
    ${lines.length === 0 ? "" : html`<pre>${cut(lines.join("\n"), MAX_TEXT)}</pre>`}
    ${terminal === undefined ? "" : html`<p><a href="${cast}">Its terminal as asciicast</a></p>`}
  </details>`;
}
