import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import type { OcsfEvent } from "../../core/audit/ocsf.ts";
import { faultsOf } from "../core/audit/ocsf-schema.ts";
import { auditFiles } from "../setup/audit-files.ts";
import { newestClosed, type Product, startProduct } from "../setup/product.ts";
import { run } from "../setup/programs.ts";

const WITHIN_MS = 20_000;
let product: Product;
beforeAll(async () => {
  product = await startProduct();
}, 60_000);
afterAll(() => product.close());

/** The log, when the newest session's end is in it. */
async function written(session: string): Promise<OcsfEvent[]> {
  for (const until = Date.now() + WITHIN_MS; Date.now() < until; await delay(50)) {
    const events = await auditFiles(join(product.directory, "state", "audit"));
    const ended = (event: OcsfEvent): boolean => event.metadata.event_code === "session-closed";
    if (events.some((event) => ended(event) && event.metadata.correlation_uid === session)) return events;
  }
  throw new Error("the session's end is not in the audit log");
}

test("a sign-in, a pass, and a session of psql with all that it asked, stand in the audit log of the day", async () => {
  const api = await product.as("alice@shop.example");
  const issued = await api.json(
    { method: "POST", path: "/api/passes", body: {} },
    z.object({ id: z.string(), pass: z.string() }),
  );
  const { host, port } = product.running.gateway;
  const env = {
    ...process.env,
    PGHOST: host,
    PGPORT: String(port),
    PGUSER: "alice",
    PGDATABASE: "shop",
    PGPASSWORD: issued.pass,
    PGSSLMODE: "require",
    PSQLRC: "/dev/null",
  };
  const sql = [
    "create table t (a int)",
    "insert into t values (1), (2), (3)",
    "select * from t",
    "select * from nothing",
  ];
  await run("psql", ["-X", ...sql.flatMap((each) => ["-c", each])], { env });
  const session = await newestClosed(api);
  const events = await written(session.id);

  for (const event of events) expect(faultsOf(event), JSON.stringify(event)).toEqual([]);
  expect(new Set(events.map(({ metadata }) => metadata.uid)).size).toBe(events.length);
  expect(JSON.stringify(events)).not.toContain(issued.pass);
  const [signedIn, pass] = events;
  expect(signedIn).toMatchObject({ metadata: { event_code: "signed-in" }, user: { name: "alice@shop.example" } });
  expect(pass).toMatchObject({ metadata: { event_code: "pass-issued" }, resources: [{ uid: issued.id }] });

  // docs/audit.md, "What did somebody change?", line by line as Athena would.
  const changed = events
    .filter((event) => event.class_uid === 6005 && event.metadata.event_code === "statement")
    .filter((event) => ["Write", "Update", "Delete", "Create"].includes(event.activity_name))
    .filter((event) => event.actor?.user?.name === "alice@shop.example")
    .map((event) => [event.dst_endpoint?.svc_name, event.query_info?.query_string, event.unmapped?.["tag"]]);
  expect(changed).toEqual([
    ["shop", sql[0], "CREATE TABLE"],
    ["shop", sql[1], "INSERT 0 3"],
  ]);
  const failed = events.find((event) => event.status_code === "42P01");
  expect(failed).toMatchObject({ status: "Failure", query_info: { query_string: sql[3] } });
  expect(events.find((event) => event.unmapped?.["tag"] === "SELECT 3")?.unmapped).toMatchObject({ rows: "3" });
  const opened = events.find((event) => event.metadata.event_code === "session-opened");
  expect(opened).toMatchObject({ actor: { user: { credential_uid: issued.id }, session: { uid: session.id } } });
});
