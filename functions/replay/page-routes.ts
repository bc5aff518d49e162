import { Hono } from "hono";
import { SallyportError } from "../../core/errors.ts";
import type { RecordedEvent } from "../../core/recording/reader.ts";
import type { AuthenticatedEnv } from "../shared/authenticated.ts";
import { readFilters } from "../shared/request.ts";
import { previewLines } from "./command-output.ts";
import { listPage } from "./list-page.ts";
import { type Page, takePage } from "./paging.ts";
import { pageQuery, type PageQuery, sessionsQuery } from "./queries.ts";
import type { Recording, Recordings } from "./recordings.ts";
import { pageOfSessions } from "./session-list.ts";
import { type ShownEvent, sessionPage } from "./session-page.ts";
import { previewTables } from "./statement-rows.ts";

/** Rows of each result that a page shows, and lines of what each command wrote. */
const PREVIEW_ROWS = 10;
const PREVIEW_LINES = 40;

/** Plain pages: the list of sessions, and a session. */
export function pageRoutes(all: Recordings): Hono<AuthenticatedEnv> {
  return new Hono<AuthenticatedEnv>()
    .get("/", async (c) => {
      const principal = c.get("principal");
      const listed = await pageOfSessions(all, principal, readFilters(c, sessionsQuery));
      return c.html(listPage({ ...listed, principal, seesAll: all.seesAll(principal), asked: c.req.query() }));
    })
    .get("/:id", async (c) => {
      const query = readFilters(c, pageQuery);
      const principal = c.get("principal");
      const recording = await all.find(principal, c.req.param("id"));
      const page = await pageOfEvents(recording, query);
      return c.html(sessionPage({ principal, row: recording.row, after: query.after, page }));
    });
}

/** A page of events; of a recording that is broken at its very start, one that says so. */
async function pageOfEvents(recording: Recording, query: PageQuery): Promise<Page<ShownEvent>> {
  try {
    const page = await takePage(
      recording.events(query.after),
      query,
      ({ item }) => item,
      ({ event }) => JSON.stringify(event).length,
    );
    return { ...page, items: await withPreviews(recording, page.items) };
  } catch (thrown) {
    if (!(thrown instanceof SallyportError) || thrown.code !== "recording-corrupt") throw thrown;
    return { items: [], next: null, cursor: query.after, fault: thrown.message };
  }
}

async function withPreviews(recording: Recording, items: Page<RecordedEvent>["items"]): Promise<ShownEvent[]> {
  const output = recording.output();
  const shown: ShownEvent[] = [];
  try {
    for (const item of items) {
      const { event } = item;
      shown.push({
        ...item,
        tables: event.type === "statement" ? await previewTables(output, event, PREVIEW_ROWS) : [],
        lines: event.type === "command-ended" ? await previewLines(output, event, PREVIEW_LINES) : [],
      });
    }
  } finally {
    await output.close();
  }
  return shown;
}
