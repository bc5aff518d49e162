import { beforeEach, describe, expect, test } from "vitest";
import { pino } from "pino";
import type { ApprovalDesk, ApprovalId, Decision } from "../../core/ports/approval-desk.ts";
import type { SessionEvent } from "../../core/recording/events.ts";
import { type Asker, askConsent, newHeldLimits } from "../../gateway-task/consent.ts";
import { ALICE } from "../setup/approvals.ts";

const ASKER = { session: "s", requester: ALICE, connection: "shop", environment: "test", client: "192.0.2.7:1" };
const ASKED = { kind: "hold", about: "statement", shown: "delete from kept", digest: "d", policyVersion: "v" };
const RULE = { policies: ["p"], reason: "deletes", consents: [{ group: "dba", count: 1 }] };

let cancelled: ApprovalId[];
let recorded: SessionEvent[];
let logged: string[];
let decide: (decision: Decision) => void;
let held: ReturnType<typeof newHeldLimits>;
let client: AbortController;

beforeEach(() => {
  [cancelled, recorded, logged, held, client] = [[], [], [], newHeldLimits(), new AbortController()];
});

/** Asks, with a recorder that does this with what becomes of the request. */
async function ask(record: () => void | Promise<void>, cancel?: () => Promise<void>): Promise<Decision> {
  const approvals = {
    request: async () => ({ id: "a" as ApprovalId, link: "https://sallyport.example/a" }),
    decided: () => new Promise<Decision>((done) => (decide = done)),
    cancel: cancel ?? (async (id) => void cancelled.push(id)),
    use: async () => {},
  } satisfies Partial<ApprovalDesk> as unknown as ApprovalDesk;
  const logger = pino({}, { write: (line: string) => void logged.push(line) });
  const told = new Promise<void>((done) => {
    answer = askConsent({ approvals, held, clock: Date.now, logger }, ASKER as Asker, { ...ASKED, ...RULE } as never, {
      record: (event) => (event.type === "approval" ? record() : void recorded.push(event)),
      told: () => done(),
      signal: client.signal,
    });
  });
  await told;
  return answer;
}
let answer: Promise<Decision>;

describe("a client that gives up what is held", () => {
  // What a listener of a signal throws is nobody's: it would fail the run, and end a task with all its sessions.
  test.each([
    ["refuses at once", () => { throw new Error("the spool is full"); }], // prettier-ignore
    ["refuses later", async () => { throw new Error("the disk is gone"); }], // prettier-ignore
  ])("has given it up also where the recorder %s, as when that is what ends the session", async (_how, record) => {
    const asking = ask(record);
    await expect.poll(() => held.size).toBe(1);
    await new Promise((done) => setTimeout(done, 5));
    client.abort(new Error("the session ends"));
    expect(await asking).toEqual({ kind: "cancelled" });
    await expect.poll(() => logged.join("")).toContain("a cancelled request is not recorded");
    expect([held.size, cancelled]).toEqual([0, ["a"]]);
  });

  test("has given it up also where the request cannot be taken back", async () => {
    const asking = ask(() => {}, async () => Promise.reject(new Error("the store is away"))); // prettier-ignore
    await new Promise((done) => setTimeout(done, 5));
    client.abort();
    expect(await asking).toEqual({ kind: "cancelled" });
    await expect.poll(() => logged.join("")).toContain("a request stays open");
  });

  test("after it was decided takes nothing back", async () => {
    const asking = ask(() => {});
    await new Promise((done) => setTimeout(done, 5));
    decide({ kind: "expired" });
    await asking;
    client.abort();
    await new Promise((done) => setTimeout(done, 5));
    expect(cancelled).toEqual([]);
  });
});
