import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { samePerson } from "../../../core/approval/same-person.ts";
import { answer, cancel, expire, type Outcome, revoke, statusAt, use } from "../../../core/approval/state.ts";
import type { Principal, PrincipalId } from "../../../core/identity/principal.ts";
import type { Approval } from "../../../core/ports/approval-store.ts";
import { ALICE, BOB, digestOf, ERIN, LIFETIME_MS, NOW, person, requested } from "../../setup/approvals.ts";

const END = NOW + LIFETIME_MS;
const consent = (by: Principal) => ({ by, consents: true, words: "" });
const refusal = (by: Principal) => ({ by, consents: false, words: "no" });
const why = (outcome: Outcome): string => (outcome.kind === "refused" ? outcome.why : outcome.approval.status);
const next = (outcome: Outcome): Approval => {
  if (outcome.kind === "refused") throw new Error(outcome.why);
  return outcome.approval;
};
const granted = (over = {}): Approval => next(answer(requested(over), consent(BOB), NOW + 1));

/** The approver-like identities of whoever asked: all of them are that person. */
const OTHER_IDENTITIES: readonly Principal[] = [
  { ...ALICE, groups: ["approvers"] },
  { ...ALICE, name: "someone@else.example", groups: ["approvers"] },
  { ...BOB, name: ALICE.name },
  { ...BOB, name: ALICE.name.toUpperCase() },
  { ...BOB, name: ` ${ALICE.name} ` },
  { ...BOB, name: "ａlice@shop.example" },
];

describe("who may answer", () => {
  test.each(OTHER_IDENTITIES)("nobody consents to, or revokes, their own request, by whatever identity: %j", (by) => {
    expect(why(answer(requested(), consent(by), NOW))).toBe("own-request");
    expect(why(answer(requested(), refusal(by), NOW))).toBe("own-request");
    expect(why(revoke(granted(), by, NOW + 2))).toBe("own-request");
  });

  test("nobody consents to, or revokes, what they ask for in somebody else's place, at whatever place of the chain", () => {
    const service: Principal = { kind: "service", id: "service|ci" as PrincipalId, name: "ci", groups: [] };
    for (const actors of [[BOB.id], [ERIN.id, BOB.id]]) {
      const asked = requested({ requester: { ...service, actors } });
      expect(why(answer(asked, consent(BOB), NOW))).toBe("own-request");
      expect(why(answer(asked, refusal(BOB), NOW))).toBe("own-request");
      expect(why(revoke({ ...asked, status: "granted" }, BOB, NOW))).toBe("own-request");
    }
  });

  test("nor by another identity of theirs, where who acts is known by name", () => {
    const agent = "https://idp.example|agent" as PrincipalId;
    const asked = requested({ requester: { ...ERIN, actors: [agent], actorNames: ["ci", " BOB@shop.example"] } });
    expect(why(answer(asked, consent(BOB), NOW))).toBe("own-request");
    expect(why(revoke({ ...asked, status: "granted" }, BOB, NOW))).toBe("own-request");
    expect(next(answer(asked, consent(person("dave", "approvers")), NOW)).status).toBe("granted");
  });

  test("a stranger, and who is in a group of nearly that name, is not asked", () => {
    for (const group of ["engineers", "Approvers", "approvers ", "approver", "*", ""])
      expect(why(answer(requested(), consent(person("eve", group)), NOW))).toBe("not-asked");
  });

  test("a service gives no consent, whatever its groups", () => {
    expect(why(answer(requested(), consent({ ...BOB, kind: "service" }), NOW))).toBe("not-a-person");
  });

  test("one person counts once: neither twice, nor by two identities, nor for two groups", () => {
    const two = requested({ consents: [{ group: "approvers", count: 2 }] });
    const once = next(answer(two, consent(BOB), NOW));
    expect(once.status).toBe("requested");
    const second = { ...BOB, id: "https://idp.example|bob2" as PrincipalId, name: "BOB@shop.example" };
    for (const by of [BOB, { ...BOB, name: "robert" }, second])
      expect(why(answer(once, consent(by), NOW))).toBe("answered-before");
    const groups = ["approvers", "dba"].map((group) => ({ group, count: 1 }));
    const both = next(answer(requested({ consents: groups }), consent(person("bob", "approvers", "dba")), NOW));
    expect(both.status).toBe("requested");
    expect(next(answer(both, consent(ERIN), NOW)).status).toBe("granted");
  });
});

describe("what becomes of a request", () => {
  test("one refusal denies it, also by who has consented before; nothing is heard after that", () => {
    const two = requested({ consents: [{ group: "approvers", count: 2 }] });
    const once = next(answer(two, consent(BOB), NOW));
    for (const by of [BOB, ERIN]) {
      const denied = next(answer(once, refusal(by), NOW + 1));
      expect(denied).toMatchObject({ status: "denied", decidedAt: NOW + 1 });
      expect(why(answer(denied, consent(ERIN), NOW + 2))).toBe("over");
    }
  });

  test.each([END, END + 1, Number.NaN, Number.POSITIVE_INFINITY])(
    "an answer at its end or later is too late: %d",
    (at) => {
      expect(why(answer(requested(), consent(BOB), at))).toBe("over");
      expect(why(answer(requested(), refusal(BOB), at))).toBe("over");
      expect(statusAt(requested(), at)).toBe("expired");
      expect(why(expire(requested(), at))).toBe("expired");
      expect(why(cancel(requested(), undefined, at))).toBe("over");
    },
  );

  test("a grant in the last millisecond opens no window beyond the request's own end", () => {
    const late = next(answer(requested(), consent(BOB), END - 1));
    expect(late.status).toBe("granted");
    expect(why(use(late, late, END - 1))).toBe("used");
    expect(why(use(late, late, END))).toBe("over");
    expect(statusAt(late, END)).toBe("expired");
  });

  test("nothing expires before its end, and a grant is no request that could", () => {
    expect(why(expire(requested(), END - 1))).toBe("over");
    expect(why(expire(granted(), END))).toBe("over");
  });

  test("only the requester, or the gateway for them, cancels; what was granted meanwhile is revoked", () => {
    expect(why(cancel(requested(), undefined, NOW))).toBe("cancelled");
    expect(why(cancel(requested(), ALICE, NOW))).toBe("cancelled");
    expect(why(cancel(requested(), BOB, NOW))).toBe("not-yours");
    expect(why(cancel(granted(), ALICE, NOW))).toBe("revoked");
    expect(why(answer(next(cancel(requested(), ALICE, NOW)), consent(BOB), NOW))).toBe("over");
  });

  test("a grant is revoked by a member of the groups, as long as it is unused", () => {
    expect(why(revoke(granted(), ERIN, NOW + 2))).toBe("revoked");
    expect(why(revoke(granted(), person("eve"), NOW + 2))).toBe("not-asked");
    expect(why(revoke(requested(), ERIN, NOW + 2))).toBe("not-granted");
    expect(why(revoke(next(use(granted(), granted(), NOW + 2)), ERIN, NOW + 3))).toBe("over");
    const revoked = next(revoke(granted(), ERIN, NOW + 2));
    expect(why(use(revoked, revoked, NOW + 3))).toBe("over");
  });
});

describe("what a grant is good for", () => {
  test.each([
    ["requester", { requester: BOB }, "not-yours"],
    ["connection", { connection: "shop2" }, "not-what-was-approved"],
    ["bytes", { digest: digestOf("b") }, "not-what-was-approved"],
    ["policy version", { policyVersion: "v2" }, "not-what-was-approved"],
  ] as const)("one %s and no other", (_what, over, expected) => {
    expect(why(use(granted(), { ...granted(), ...over }, NOW + 2))).toBe(expected);
  });

  test("one use", () => {
    const used = next(use(granted(), granted(), NOW + 2));
    expect(used.status).toBe("used");
    expect(why(use(used, used, NOW + 3))).toBe("over");
    expect(why(use(requested(), requested(), NOW))).toBe("not-granted");
  });
});

const who = fc.constantFrom(
  ALICE,
  BOB,
  ERIN,
  person("carl", "dba"),
  person("dora", "dba", "approvers"),
  ...OTHER_IDENTITIES,
);
const at = fc.integer({ min: NOW, max: END + 5 });
const step = fc.oneof(
  fc.record({ do: fc.constant("answer" as const), who, consents: fc.boolean(), at }),
  fc.record({ do: fc.constantFrom("use" as const, "cancel" as const, "revoke" as const, "expire" as const), who, at }),
);
const consents = fc.array(
  fc.record({ group: fc.constantFrom("approvers", "dba"), count: fc.integer({ min: 1, max: 2 }) }),
  { minLength: 1, maxLength: 2 },
);

test("in any order of steps: no grant without distinct others, nothing leads back, one use, nothing after the end", () => {
  fc.assert(
    fc.property(consents, fc.array(step, { maxLength: 12 }), (asked, steps) => {
      let approval = requested({ consents: asked });
      for (const one of steps) {
        const before = approval;
        const outcome = taken(approval, one);
        if (outcome.kind === "refused") continue;
        approval = outcome.approval;
        expect(approval.revision).toBe(before.revision + 1);
        expect([before.status, approval.status].join(" → ")).toMatch(
          /^(requested → (requested|granted|denied|expired|cancelled)|granted → (used|revoked))$/,
        );
        if (approval.status !== "expired") expect(one.at).toBeLessThan(END);
      }
      const yes = approval.answers.filter((given) => given.consents);
      for (const [n, { by }] of yes.entries()) {
        expect(samePerson(by, ALICE)).toBe(false);
        for (const other of yes.slice(n + 1)) expect(samePerson(by, other.by)).toBe(false);
      }
      const total = asked.reduce((sum, { count }) => sum + count, 0);
      if (["granted", "used", "revoked"].includes(approval.status)) expect(yes.length).toBeGreaterThanOrEqual(total);
    }),
    { numRuns: 2_000 },
  );
});

type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

function taken(approval: Approval, one: Step): Outcome {
  switch (one.do) {
    case "answer":
      return answer(approval, { by: one.who, consents: one.consents, words: "" }, one.at);
    case "use":
      return use(approval, { ...approval, requester: one.who }, one.at);
    case "cancel":
      return cancel(approval, one.who, one.at);
    case "revoke":
      return revoke(approval, one.who, one.at);
    case "expire":
      return expire(approval, one.at);
  }
}
