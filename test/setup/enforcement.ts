import { setTimeout as delay } from "node:timers/promises";
import { expect } from "vitest";
import { answer } from "../../core/approval/state.ts";
import { transition } from "../../core/approval/transition.ts";
import type { Principal, PrincipalId } from "../../core/identity/principal.ts";
import type { Policies } from "../../core/policy/verdict.ts";
import type { SessionEvent, StatementEvent } from "../../core/recording/events.ts";
import { policiesOf } from "./policies.ts";
import type { PostgresServer } from "./postgres.ts";
import { type ShopJourney, startShop } from "./shop-journey.ts";

/** What becomes of every statement that touches `salaries`; whatever else is said is simply allowed. */
export type Fate = "blocked" | "granted" | "denied" | "cancelled";

const REASON = "salaries are private";
const TOUCHES = `context has tables && context.tables.contains("salaries")`;
const BLOCKED = `@id("secrets") @reason("${REASON}") forbid (principal, action, resource) when { ${TOUCHES} };`;
const HELD = `@id("secrets") @reason("${REASON}") @approvers("dba") forbid (principal, action, resource)
  when { ${TOUCHES} } unless { context.approvals >= 1 };`;
const BOB: Principal = { kind: "user", id: "test|Bob" as PrincipalId, name: "Bob", groups: ["dba"] };
const WORDS = "not today";

/** What a client must be told of what does not run. */
const REFUSALS: Readonly<Record<Exclude<Fate, "granted">, Refusal>> = {
  blocked: { state: "42501", message: `sallyport: ${REASON}`, detail: "Policy: secrets." },
  denied: { state: "42501", message: `sallyport: denied by Bob: ${WORDS}`, detail: "Policy: secrets." },
  cancelled: { state: "57014", message: "sallyport: cancelled while it was held for consent", detail: undefined },
};
/** The gateway hears at most twenty cancel requests of one address in a second. */
const BETWEEN_CANCELS_MS = 1_000 / 15;
/** Conversations at a time, so that holds do not wait one after another. */
const AT_A_TIME = 24;

export interface Refusal {
  readonly state: string;
  readonly message: string;
  readonly detail: string | undefined;
}

/** One answer to a client, with what enforcement may change in it apart. */
export interface Heard {
  readonly saw: unknown;
  readonly notices: readonly string[];
  /** An error of SQLSTATE 42501 or 57014. */
  readonly refusal?: Refusal | undefined;
}

export interface Place {
  /** Undefined: past the gateway, as the same role. */
  readonly pass: string | undefined;
  readonly schema: string;
  /** Is told how the statement that runs is cancelled. */
  readonly cancellable: (cancel: () => Promise<unknown>) => void;
}

/** A client that connects, says what it has to say, and goes. */
export interface Conversation {
  readonly name: string;
  /** Its driver sends one cancel request for all that it has sent, and the second of that waits on. */
  readonly cancelsOnce?: boolean;
  hold(place: Place): Promise<Heard[]>;
}

interface Played {
  readonly heard: Readonly<Record<string, readonly Heard[]>>;
  /** Of each conversation, what it left in its tables. */
  readonly left: Readonly<Record<string, unknown>>;
  /** Statements by the server's own log. */
  readonly logged: readonly string[];
}

export interface EnforcedShop {
  readonly shop: ShopJourney;
  /**
   * Plays all conversations, through the gateway under this fate and past it, where the server itself forbids what the fate
   * does; and expects that they heard the same, left the same, and that nothing ran that was not to run.
   */
  expectLikeTheServer(fate: Fate): Promise<void>;
  stop(): Promise<void>;
}

export async function startEnforcedShop(
  which: PostgresServer,
  conversations: readonly Conversation[],
): Promise<EnforcedShop> {
  let policies: Policies = policiesOf("");
  const shop = await startShop(which, { policies: () => policies });
  const past = new Map<boolean, Promise<Played>>();
  return {
    shop,
    async expectLikeTheServer(fate) {
      const permitted = fate === "granted";
      if (!past.has(permitted)) past.set(permitted, play(shop, conversations, permitted));
      const before = await (past.get(permitted) as Promise<Played>);
      policies = policiesOf(fate === "blocked" ? BLOCKED : HELD);
      const sessions = new Set((await shop.gateway.sessions()).map(({ id }) => id));
      const played = conversations.filter(({ cancelsOnce }) => fate !== "cancelled" || cancelsOnce !== true);
      const through = await play(shop, played, true, fate);
      expectHeard(through, before, fate);
      expect(through.left).toEqual(Object.fromEntries(played.map(({ name }) => [name, before.left[name]])));
      expectLogged(through, before, permitted);
      const own = (await shop.gateway.sessions()).filter(({ id }) => !sessions.has(id));
      expect(own).toHaveLength(played.length);
      for (const { id } of own) {
        const { events, statements } = await shop.gateway.closed(id);
        expectRecord(events, statements, fate);
      }
    },
    stop: () => shop.stop(),
  };
}

/** @param fate undefined: past the gateway */
async function play(
  shop: ShopJourney,
  conversations: readonly Conversation[],
  mayTouch: boolean,
  fate?: Fate,
): Promise<Played> {
  const schemas = conversations.map((conversation, n) => ({ conversation, schema: `s${n}` }));
  await shop.admin.query(schemas.map(({ schema }) => tablesIn(schema, mayTouch)).join("\n"));
  await shop.mark();
  const [heard, left]: [Record<string, Heard[]>, Record<string, unknown>] = [{}, {}];
  const cancels = new Map<string, () => Promise<unknown>>();
  const queue = schemas.values();
  const work = async (): Promise<void> => {
    for (const { conversation, schema } of queue) {
      const pass = fate && (await shop.gateway.pass({ name: conversation.name }));
      const cancellable = (cancel: () => Promise<unknown>): void => void cancels.set(conversation.name, cancel);
      heard[conversation.name] = await conversation.hold({ pass, schema, cancellable });
    }
  };
  const over = new AbortController();
  const deciding = fate === undefined ? undefined : decide(shop, fate, cancels, over.signal);
  await Promise.race([Promise.all(Array.from({ length: AT_A_TIME }, work)), deciding ?? new Promise(() => {})]);
  over.abort();
  await deciding;
  const logged = await shop.logged();
  for (const { conversation, schema } of schemas) {
    const { rows } = await shop.admin.query(
      `select id, word from ${schema}.kept union all select id, amount::text from ${schema}.salaries order by 1, 2`,
    );
    left[conversation.name] = rows;
  }
  return { heard, left, logged };
}

function tablesIn(schema: string, mayTouch: boolean): string {
  return `
    drop schema if exists ${schema} cascade; create schema ${schema}; grant all on schema ${schema} to shop_owner;
    create table ${schema}.kept (id int primary key, word text); insert into ${schema}.kept values (1, 'a'), (2, 'b');
    alter table ${schema}.kept owner to shop_owner;
    create table ${schema}.salaries (id int, amount int); insert into ${schema}.salaries values (1, 10), (2, 20), (3, 30);
    ${mayTouch ? `grant all on ${schema}.salaries to shop_owner;` : ""}`;
}

/** Bob answers whatever is asked of him; or, where it is to be cancelled, its asker does that. */
async function decide(
  { gateway }: ShopJourney,
  fate: Fate,
  cancels: ReadonlyMap<string, () => Promise<unknown>>,
  over: AbortSignal,
): Promise<void> {
  const { approvalStore } = gateway.state;
  const seen = new Set<string>();
  for (; !over.aborted; await delay(10)) {
    for (const { id, requester } of await approvalStore.list({ waitingAt: Date.now(), limit: 100 })) {
      if (seen.has(id)) continue;
      seen.add(id);
      const given = { by: BOB, consents: fate === "granted", words: WORDS };
      if (fate === "cancelled") {
        await cancels.get(requester.name)?.();
        await delay(BETWEEN_CANCELS_MS);
      } else await transition(approvalStore, id, (approval) => answer(approval, given, Date.now()));
    }
  }
}

function expectHeard(through: Played, past: Played, fate: Fate): void {
  let notices = 0;
  for (const [name, heard] of Object.entries(through.heard)) {
    const sawOf = (all: readonly Heard[] = []): unknown[] =>
      all.map(({ saw, refusal }) => (refusal ? { saw, refused: true } : saw));
    expect(sawOf(heard), name).toEqual(sawOf(past.heard[name]));
    for (const { refusal } of heard)
      if (refusal) expect([fate, refusal]).toEqual([fate, fate !== "granted" && REFUSALS[fate]]);
    for (const notice of heard.flatMap((each) => each.notices)) {
      expect(notice, name).toContain(`sallyport: held for consent: ${REASON}`);
      notices++;
    }
  }
  expect(notices > 0).toBe(fate !== "blocked");
}

/** What does not run may be refused at an earlier message than by the server, so that even less runs before it. */
function expectLogged({ logged }: Played, past: Played, permitted: boolean): void {
  if (permitted) return expect(logged).toEqual(past.logged);
  expect(logged.filter((text) => text.includes("salaries"))).toEqual([]);
  const left = [...past.logged];
  for (const text of logged) expect(left.splice(left.indexOf(text), 1)).toEqual([text]);
}

/** One verdict for every statement that was not simply allowed, what became of it, and no word of it having run if it did not. */
function expectRecord(events: readonly SessionEvent[], statements: readonly StatementEvent[], fate: Fate): void {
  const verdicts = events.filter((event) => event.type === "verdict");
  const approvals = events.filter((event) => event.type === "approval");
  expect(verdicts.length).toBeGreaterThan(0);
  const kind = fate === "blocked" ? "block" : "hold";
  for (const verdict of verdicts) expect(verdict).toMatchObject({ kind, policies: ["secrets"], reason: REASON });
  const by = fate === "cancelled" ? [] : [{ id: BOB.id, name: "Bob", words: WORDS }];
  expect(approvals.map(({ outcome, approval, digest, by: voices }) => ({ outcome, approval, digest, voices }))).toEqual(
    fate === "blocked" ? [] : verdicts.map(({ approval, digest }) => ({ outcome: fate, approval, digest, voices: by })),
  );
  const refused = statements.filter(({ outcome }) => outcome === "refused");
  expect(refused).toHaveLength(fate === "granted" ? 0 : verdicts.length);
  for (const { text, outcome } of statements.filter((one) => one.text.includes("salaries")))
    if (fate === "granted") expect(["completed", "suspended"], text).toContain(outcome);
    else expect(["refused", "skipped"], text).toContain(outcome);
}
