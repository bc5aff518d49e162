import { describe, expect, test } from "vitest";
import { AUDIT_COLUMNS, AUDIT_PARTITION_KEYS, AUDIT_STORAGE, auditTableProperties } from "../../aws/audit-table.ts";
import * as account from "../../core/audit/account-events.ts";
import { auditObjects } from "../../core/audit/batch.ts";
import { auditEventsOf } from "../../core/audit/derive.ts";
import { type OcsfEvent, ocsfEvent } from "../../core/audit/ocsf.ts";
import type { PassId } from "../../core/ports/pass-store.ts";
import { decodeChunk } from "../../core/recording/chunk.ts";
import { OPENED, POSTGRES, ROW, SSH, SSH_OPENED } from "../core/audit/samples.ts";
import { faultsOf } from "../core/audit/ocsf-schema.ts";
import { ALICE, NOW, requested } from "../setup/approvals.ts";
import { event, makeChunks } from "../setup/make-recording.ts";
import { misfits } from "./hive-type.ts";

const ASKED = { by: ALICE, from: "203.0.113.7" };
const PASS = {
  id: "p1" as PassId,
  principal: ALICE,
  connection: undefined,
  label: "",
  issuedAt: NOW,
  expiresAt: NOW,
  revokedAt: undefined,
};
const FAILED = { code: "conflict", message: "no" };
const RECORDS = [
  account.signedIn(ASKED, "saml", NOW),
  account.signInFailed("not an address", "oidc", FAILED, NOW),
  account.signedOut(ASKED, NOW),
  account.passIssued(ASKED, PASS, NOW),
  account.passRefused(ASKED, undefined, FAILED, NOW),
  account.passRevoked({ ...ASKED, by: { ...ALICE, kind: "service", groups: [] } }, PASS, NOW),
  account.approvalRequested(requested().id, requested(), NOW),
  account.approvalStepped(ASKED, requested(), "used", NOW, { failed: FAILED }),
  account.configurationPublished(ASKED, "v2", NOW),
  account.configurationPublished(ASKED, "v2", NOW, FAILED),
  account.accessEnded(ASKED, ALICE, NOW, { sessions: 2 }),
];

/** One of each kind, as its line says it. */
function everyKind(): OcsfEvent[] {
  const derived = [
    [POSTGRES, OPENED],
    [SSH, SSH_OPENED],
  ] as const;
  const told = derived.flatMap(([events, opened]) => {
    const [bytes] = makeChunks(ROW, [events.map((each) => event(each))]);
    return [...auditEventsOf(decodeChunk(bytes ?? Buffer.alloc(0)), opened)];
  });
  const done = RECORDS.map(({ draft, at }, n) => ocsfEvent(draft, `e${n}`, at));
  return [...told, ...done].map((each) => JSON.parse(JSON.stringify(each)) as OcsfEvent);
}

describe("the table of audit events", () => {
  test("has a column for every attribute that an event has, of a type that holds it", () => {
    const row = `struct<${AUDIT_COLUMNS.map(({ name, type }) => `${name}:${type}`).join(",")}>`;
    const events = everyKind();
    expect(events.length).toBeGreaterThan(40);
    for (const each of events) {
      expect(misfits(row, each), JSON.stringify(each)).toEqual([]);
      expect(faultsOf(each), JSON.stringify(each)).toEqual([]);
    }
  });

  test("has no column that no event fills", () => {
    const filled = new Set(everyKind().flatMap((each) => Object.keys(each)));
    expect(AUDIT_COLUMNS.map(({ name }) => name).filter((name) => !filled.has(name))).toEqual([]);
  });

  test("names columns once, in lower case, and none as its partition", () => {
    const names = [...AUDIT_COLUMNS, ...AUDIT_PARTITION_KEYS].map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    for (const name of names) expect(name).toMatch(/^[a-z_]+$/);
  });

  test("finds the partitions where the log writes them, by the day alone", () => {
    const properties = auditTableProperties("bucket", "2026-11-29");
    const template = properties["storage.location.template"] ?? "";
    const [object] = auditObjects({ id: "b", events: everyKind().slice(0, 1) });
    const [day] = /\d{4}-\d\d-\d\d/.exec(object?.key ?? "") ?? [];
    expect(`s3://bucket/${object?.key}`).toBe(`${template.replace("${date}", day ?? "")}b.ndjson.gz`);
    expect(properties).toMatchObject({ "projection.date.range": "2026-11-29,NOW", "projection.enabled": "true" });
    expect(AUDIT_STORAGE.serdeParameters["ignore.malformed.json"]).toBe("false");
  });

  test("does not hold what does not fit", () => {
    for (const [type, value] of [
      ["string", 1],
      ["int", 2 ** 31],
      ["bigint", 1.5],
      ["boolean", "true"],
      ["array<string>", "a"],
      ["array<string>", [1]],
      ["map<string,string>", { a: 1 }],
      ["struct<a:int,b:struct<c:string>>", { b: { c: 1 } }],
      ["struct<a:int>", { b: 1 }],
      ["struct<a:int>", null],
      ["date", "2026-11-29"],
    ] as const)
      expect(misfits(type, value), type).toHaveLength(1);
  });
});
