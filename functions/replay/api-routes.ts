import { type Context, Hono } from "hono";
import { SallyportError } from "../../core/errors.ts";
import { verifySession } from "../../core/recording/verify.ts";
import type { AuthenticatedEnv } from "../shared/authenticated.ts";
import { readFilters } from "../shared/request.ts";
import type { ReplayDeps } from "./deps.ts";
import { takePage } from "./paging.ts";
import { castStream } from "./cast.ts";
import {
  channelNumber,
  chunkSequence,
  pageQuery,
  rowsQuery,
  sessionsQuery,
  statementNumber,
  transcriptQuery,
} from "./queries.ts";
import type { Recording, Recordings } from "./recordings.ts";
import { pageOfSessions } from "./session-list.ts";
import { statementRows } from "./statement-rows.ts";
import { transcriptStream } from "./text.ts";
import { frameView, sessionView } from "./views.ts";

/** The JSON interface: sessions, and what each recorded. */
export function apiRoutes(deps: ReplayDeps, all: Recordings): Hono<AuthenticatedEnv> {
  const find = (c: Context<AuthenticatedEnv, "/:id">): Promise<Recording> =>
    all.find(c.get("principal"), c.req.param("id"));

  return new Hono<AuthenticatedEnv>()
    .get("/", async (c) => {
      const { rows, next } = await pageOfSessions(all, c.get("principal"), readFilters(c, sessionsQuery));
      return c.json({ sessions: rows.map(sessionView), next });
    })
    .get("/:id", async (c) => c.json(sessionView((await find(c)).row)))
    .get("/:id/statements", async (c) => {
      const query = readFilters(c, pageQuery);
      const recording = await find(c);
      const { items, ...page } = await takePage(
        recording.events(query.after),
        query,
        ({ item }) => (item.event.type === "statement" ? item.event : undefined),
        (statement) => JSON.stringify(statement).length,
      );
      return c.json({ statements: items, live: recording.live, ...page });
    })
    .get("/:id/events", async (c) => {
      const query = readFilters(c, pageQuery);
      const recording = await find(c);
      const { items, ...page } = await takePage(
        recording.events(query.after),
        query,
        ({ number, item }) => ({ number, micros: item.micros, event: item.event }),
        ({ event }) => JSON.stringify(event).length,
      );
      return c.json({ events: items, live: recording.live, ...page });
    })
    .get("/:id/statements/:number/rows", async (c) => {
      const { limit } = readFilters(c, rowsQuery);
      const recording = await find(c);
      const statement = await statementOf(recording, c.req.param("number"));
      const { results, incomplete } = await statementRows(recording, statement, limit);
      return c.json({ statement, results, incomplete: incomplete ?? null });
    })
    .get("/:id/frames", async (c) => {
      const query = readFilters(c, pageQuery);
      const recording = await find(c);
      const { items, ...page } = await takePage(
        recording.frames(query.after),
        query,
        frameView,
        ({ payload }) => payload.length,
      );
      return c.json({ frames: items, live: recording.live, ...page });
    })
    .get("/:id/transcript", async (c) => {
      const { rows } = readFilters(c, transcriptQuery);
      const text = transcriptStream(await find(c), rows, deps.logger);
      return c.body(text, 200, { "Content-Type": "text/plain; charset=utf-8" });
    })
    .get("/:id/channels/:channel/cast", async (c) => {
      const recording = await find(c);
      const channel = channelNumber.safeParse(c.req.param("channel"));
      const cast = channel.success ? await castStream(recording, channel.data, deps.logger) : undefined;
      if (cast === undefined) throw new SallyportError("not-found", "the session has no terminal in such a channel");
      return c.body(cast, 200, { "Content-Type": "application/x-asciicast" });
    })
    .get("/:id/manifest", async (c) => {
      const { row, live } = await find(c);
      const jws = await deps.chunks.getManifest(row.id);
      if (jws === undefined)
        throw new SallyportError(
          "not-found",
          live ? "the session is live: it is signed when it closes" : "the session's manifest is missing",
        );
      return c.body(jws, 200, { "Content-Type": "application/jose" });
    })
    .get("/:id/chunks/:sequence", async (c) => {
      const { row } = await find(c);
      const sequence = chunkSequence.safeParse(c.req.param("sequence"));
      if (!sequence.success) throw new SallyportError("not-found", "the recording has no such chunk");
      // As it is stored, whole or not: whoever takes it away verifies it there.
      const bytes = await deps.chunks.get({ session: row.id, sequence: sequence.data });
      return c.body(new Uint8Array(bytes), 200, { "Content-Type": "application/octet-stream" });
    })
    .get("/:id/verify", async (c) => {
      const { row, live } = await find(c);
      return c.json({ live, ...(await verifySession(deps.chunks, row.id, deps.publicKeys)) });
    });
}

async function statementOf(recording: Recording, text: string) {
  const number = statementNumber.safeParse(text);
  const statement = number.success ? await recording.statement(number.data) : undefined;
  if (statement) return statement;
  const why = recording.live ? "there is no such statement yet" : "the session has no such statement";
  throw new SallyportError("not-found", why);
}
