import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { parsePolicyCases } from "../../../core/policy/policy-cases.ts";

describe("a table of cases", () => {
  test.each([
    ["nothing", ""],
    ["cases: []", "cases"],
    ["cases: [{ expect: allow }]", "one of `sql`, `command`, `file`, `forward`, `listen`, `action`"],
    ["cases: [{ sql: x, action: connect, expect: allow }]", "one of `sql`"],
    ["cases: [{ sql: x, command: x, expect: allow }]", "one of `sql`"],
    ["cases: [{ file: { operation: sing, path: /x }, expect: allow }]", "file.operation"],
    ["cases: [{ forward: { host: x, port: 65536 }, expect: allow }]", "forward.port"],
    ["cases: [{ action: ssh:exec, expect: allow }]", "action"],
    ["cases: [{ sql: x, expect: perhaps }]", "expect"],
    ["cases: [{ action: pg:sing, expect: allow }]", "action"],
    ["cases: [{ sql: x, expect: allow, expects: allow }]", "expects"],
    ["cases: [{ sql: x, expect: allow, kind: cat }]", "kind"],
    ["cases: [{ sql: x, expect: allow, consents: { dba: 0 } }]", "consents.dba"],
    ["cases: [{ sql: x, expect: allow, at: yesterday }]", "a moment in UTC"],
    ["cases: [{ sql: x, expect: allow, at: 2026-13-45T12:00Z }]", "no such moment"],
    ["{ defaults: { sql: x }, cases: [{ sql: x, expect: allow }] }", "defaults"],
  ])("is refused where a case says nothing, or what cannot be: %s", (text, why) => {
    expect(() => parsePolicyCases(parse(text), "cases.yaml")).toThrow(
      expect.objectContaining({ code: "configuration-invalid", message: expect.stringContaining(why) }),
    );
  });

  test("fills in who asks, where and when: from the case, the defaults, or a Monday at noon", () => {
    const text = `
defaults: { as: alice, groups: [engineers], on: shop }
cases:
  - { sql: x, expect: allow }
  - { sql: x, expect: allow, as: bot, kind: service, groups: [], on: ledger, environment: production, at: 2026-11-22T03:00Z }`;
    expect(parsePolicyCases(parse(text), "cases.yaml").map(({ ask }) => ask)).toEqual([
      {
        principal: { kind: "user", id: "alice", name: "alice", groups: ["engineers"] },
        connection: { name: "shop", environment: "default" },
        now: Date.UTC(2026, 10, 23, 12),
      },
      {
        principal: { kind: "service", id: "bot", name: "bot", groups: [] },
        connection: { name: "ledger", environment: "production" },
        now: Date.UTC(2026, 10, 22, 3),
      },
    ]);
  });
});
