import type { Principal, PrincipalId } from "../../core/identity/principal.ts";
import type { SessionId, SessionQuery, SessionRow } from "../../core/ports/session-store.ts";
import type { SessionsQuery } from "./queries.ts";
import type { Recordings } from "./recordings.ts";

export interface SessionsPage {
  readonly rows: readonly SessionRow[];
  /** What to continue after; null on the last page. */
  readonly next: SessionId | null;
}

/** A page of the sessions that a principal may see, newest first. */
export async function pageOfSessions(
  all: Recordings,
  principal: Principal,
  asked: SessionsQuery,
): Promise<SessionsPage> {
  const query: SessionQuery = {
    limit: asked.limit + 1, // one more, to know whether there are more
    ...(asked.connection !== undefined && { connection: asked.connection }),
    ...(asked.person !== undefined && { principalId: asked.person as PrincipalId }),
    ...(asked.from !== undefined && { from: asked.from }),
    ...(asked.to !== undefined && { to: asked.to }),
    ...(asked.live !== undefined && { live: asked.live === "true" }),
    ...(asked.after !== undefined && { after: asked.after }),
  };
  const rows = await all.list(principal, query);
  const shown = rows.slice(0, asked.limit);
  return { rows: shown, next: rows.length > shown.length ? (shown.at(-1)?.id ?? null) : null };
}
