import { expect, test } from "vitest";
import { faultsOf } from "../../core/audit/ocsf-schema.ts";
import { ALICE, BOB, ERIN } from "../../setup/approvals.ts";
import { installation } from "./installation.ts";

test("what people do with approvals is written: who, on what, for whom, with their words", async () => {
  const house = installation();
  const asked = await house.put({ consents: [{ group: "approvers", count: 2 }] });
  await house.ask(BOB, `/api/approvals/${asked.id}/decision`, { decision: "approve", words: "as we said" });
  await house.ask(ERIN, `/api/approvals/${asked.id}/decision`, { decision: "approve" });
  await house.ask(BOB, `/api/approvals/${asked.id}/revoke`, {});
  const other = await house.put();
  await house.ask(BOB, `/api/approvals/${other.id}/decision`, { decision: "deny", words: "no" });
  const third = await house.put();
  await house.ask(ALICE, `/api/approvals/${third.id}/cancel`, {});
  expect(house.audit.codes()).toEqual([
    "approval-consented",
    "approval-consented",
    "approval-revoked",
    "approval-refused",
    "approval-cancelled",
  ]);
  for (const event of house.audit.events) expect(faultsOf(JSON.parse(JSON.stringify(event)))).toEqual([]);
  expect(house.audit.events[0]).toMatchObject({
    class_uid: 6003,
    actor: { user: { uid: BOB.id } },
    src_endpoint: { ip: "192.0.2.7" },
    resources: [{ uid: asked.id, type: "approval" }],
    metadata: { correlation_uid: asked.id },
    unmapped: { requester: ALICE.id, connection: "shop", digest: asked.digest, words: "as we said" },
  });
});

test("what is refused at once is not written as if it had been done", async () => {
  const house = installation();
  const asked = await house.put();
  expect(await house.status(ALICE, `/api/approvals/${asked.id}/decision`, { decision: "approve" })).toBe(403);
  await house.ask(BOB, `/api/approvals/${asked.id}/decision`, { decision: "approve" });
  expect(await house.status(BOB, `/api/approvals/${asked.id}/decision`, { decision: "approve" })).toBe(409);
  expect(house.audit.codes()).toEqual(["approval-consented"]);
});

test("without the audit log nothing is consented to", async () => {
  const house = installation();
  const asked = await house.put();
  house.audit.down = true;
  expect(await house.status(BOB, `/api/approvals/${asked.id}/decision`, { decision: "approve" })).toBe(503);
  expect((await house.approvals.get(asked.id))?.status).toBe("requested");
});
