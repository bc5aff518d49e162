import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { AUDIT_COLUMNS, AUDIT_PARTITION_KEYS, AUDIT_TABLE } from "../../aws/audit-table.ts";
import { auditEventsOf } from "../../core/audit/derive.ts";
import { decodeChunk } from "../../core/recording/chunk.ts";
import { OPENED, POSTGRES, ROW, SSH, SSH_OPENED } from "../core/audit/samples.ts";
import { event, makeChunks } from "../setup/make-recording.ts";

const DOC = readFileSync(new URL("../../docs/audit.md", import.meta.url), "utf8");
const SOURCE = readFileSync(new URL("../../core/audit/account-events.ts", import.meta.url), "utf8");

test("docs/audit.md names every event that there is, and its queries ask for no other", () => {
  const recorded = [
    [POSTGRES, OPENED],
    [SSH, SSH_OPENED],
  ] as const;
  const codes = new Set<string>();
  for (const [events, opened] of recorded) {
    const [bytes] = makeChunks(ROW, [events.map((each) => event(each))]);
    for (const { metadata } of auditEventsOf(decodeChunk(bytes ?? Buffer.alloc(0)), opened))
      codes.add(metadata.event_code);
  }
  for (const [, code = ""] of SOURCE.matchAll(/code: "([a-z-]+)"/g)) codes.add(code);
  for (const step of ["consented", "refused", "cancelled", "revoked", "used"]) codes.add(`approval-${step}`);
  expect(codes.size).toBeGreaterThan(30);
  for (const code of codes) expect(DOC).toContain(`\`${code}\``);
  const asked = DOC.matchAll(/(?:event_code|operation) = '([a-z-]+)'/g);
  for (const [, code = ""] of asked) expect([...codes], code).toContain(code);
});

test("the queries of docs/audit.md ask for columns that the table has", () => {
  const columns = new Set([...AUDIT_COLUMNS, ...AUDIT_PARTITION_KEYS].map(({ name }) => name));
  const [, sql = ""] = /```sql\n([\s\S]*?)```/.exec(DOC) ?? [];
  expect(sql).toContain(`FROM ${AUDIT_TABLE}`);
  const asked = [...sql.replaceAll(/'[^']*'/g, "''").matchAll(/\b(?:[is]\.)?([a-z_]+)(?:\.[a-z_]+|\[)/g)].map(
    ([, name = ""]) => name,
  );
  expect(asked.length).toBeGreaterThan(20);
  for (const name of asked.filter((each) => each.length > 1 && each !== "policy"))
    expect([...columns], name).toContain(name);
});
