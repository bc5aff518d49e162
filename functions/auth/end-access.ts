import { accessEnded } from "../../core/audit/account-events.ts";
import type { Instant } from "../../core/brand.ts";
import { SallyportError } from "../../core/errors.ts";
import type { Principal, PrincipalId } from "../../core/identity/principal.ts";
import type { PassId } from "../../core/ports/pass-store.ts";
import type { SessionId, SessionRow } from "../../core/ports/session-store.ts";
import type { AuthDeps } from "./deps.ts";
import { administers, statusOf } from "./passes.ts";

/** Who has more passes that could be live got them from a program that leaks them; the newest are looked at. */
const MAX_PASSES = 10_000;
/** Live sessions are asked for page by page. */
const SESSIONS_PAGE = 500;
/** As many as one task carries, by far: a store that goes on answering is broken. */
const MAX_PAGES = 100;

export interface EndedAccess {
  readonly id: PrincipalId;
  readonly name: string;
  readonly endedAt: Instant;
  /** Passes that were good until now. */
  readonly passes: number;
  /** Sessions that were live; they end within 5 s (invariant 5). */
  readonly sessions: number;
}

/**
 * Ends what somebody holds, at once: sessions of the web and the command line, approved and pending device requests, passes, and
 * with them live sessions, however they were opened. They may sign in anew: whether they still can is the identity provider's to say.
 * @param who a principal's id, or the e-mail address of a person who has signed in; everybody who has it
 * Throws `access-denied` for whoever is no administrator, `not-found` where nobody is known by that.
 */
export async function endAccess(
  deps: AuthDeps,
  administrator: Principal,
  who: string,
  from: string,
): Promise<EndedAccess[]> {
  if (!administers(deps, administrator))
    throw new SallyportError("access-denied", "only administrators may end somebody's access", {
      hint: `they are the members of ${deps.admins.map((group) => `"${group}"`).join(", ")}`,
    });
  const meant = await meantBy(deps, who);
  if (meant.length === 0)
    throw new SallyportError("not-found", "nobody is known by this id or address", {
      hint: "give the id as `sallyport sessions --json` shows it, or an address that somebody has signed in with",
    });
  const ended: EndedAccess[] = [];
  for (const one of meant) {
    const done = await endAccessOf(deps, one);
    deps.logger.warn({ by: administrator.id, ...done }, "access ended");
    ended.push(done);
  }
  // Behind all of it: whoever cannot be written about must lose their access all the same.
  for (const done of ended) {
    const { passes, sessions, endedAt } = done;
    await deps.audit(accessEnded({ by: administrator, from }, done, endedAt, { passes, sessions }));
  }
  return ended;
}

type Meant = Pick<EndedAccess, "id" | "name">;

/** A service never signs in: it is known by its passes. */
async function meantBy({ people, passes }: AuthDeps, who: string): Promise<readonly Meant[]> {
  const person = await people.find(who as PrincipalId);
  if (person !== undefined) return [person];
  const [pass] = await passes.listFor(who as PrincipalId, 1);
  if (pass !== undefined) return [pass.principal];
  return who.includes("@") ? people.withEmail(who) : [];
}

/** First the instant, then what there is: whatever is issued from now on is checked against it (core/identity/access-end.ts). */
async function endAccessOf(deps: AuthDeps, { id, name }: Meant): Promise<EndedAccess> {
  const { passes, signIns, clock } = deps;
  const endedAt = clock();
  await signIns.endAccess(id, endedAt);
  const live = await liveSessionsOf(deps, id);
  const good = (await passes.listFor(id, MAX_PASSES)).filter((pass) => statusOf(pass, endedAt) === "live");
  // A session outlives its pass: what has expired is revoked, too, for its session's sake.
  const revoked = new Set<PassId>([...good.map((pass) => pass.id), ...live.map((row) => row.passId)]);
  for (const pass of revoked) await passes.revoke(pass, clock());
  await signIns.keepRenewal(id, undefined);
  return { id, name, endedAt, passes: good.length, sessions: live.length };
}

async function liveSessionsOf({ sessions }: AuthDeps, principalId: PrincipalId): Promise<SessionRow[]> {
  const all: SessionRow[] = [];
  let after: SessionId | undefined;
  for (let pages = 0; pages < MAX_PAGES; pages++) {
    const query = { principalId, live: true, limit: SESSIONS_PAGE };
    const page = await sessions.list(after === undefined ? query : { ...query, after });
    all.push(...page);
    if (page.length < SESSIONS_PAGE) break;
    after = page.at(-1)?.id;
  }
  return all;
}
