import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Api } from "../../cli/api-client.ts";
import { newPassView, passView, sessionsView } from "../../cli/api-views.ts";
import { newestClosed, type Product, startProduct, type Terminal } from "../setup/product.ts";
import { libpqEnvironment } from "../setup/programs.ts";

/** Invariant 5. */
const PROMISE_MS = 5_000;
const MESSAGE = "your pass was revoked; the session has ended";

let product: Product;
let alice: Api;
let terminal: Terminal;

beforeAll(async () => {
  product = await startProduct();
  alice = await product.as("alice");
  terminal = await product.terminal();
  await terminal.signIn("alice");
});
afterAll(async () => product?.close());

const byApi = async (id: string): Promise<void> => {
  await alice.json({ method: "DELETE", path: `/api/passes/${id}` }, passView);
};
const byCommand = async (id: string): Promise<void> => {
  expect(await terminal.sallyport(["pass", "revoke", id])).toMatchObject({ status: 0 });
};

interface LivePsql {
  readonly pass: string;
  /** What psql has been told, and its status, once it ends. */
  readonly ended: Promise<{ readonly status: number | null; readonly stderr: string }>;
  type(text: string): void;
}

/** A psql that has shown its first row. */
async function livePsql(): Promise<LivePsql> {
  const request = { method: "POST", path: "/api/passes", body: { connection: "shop" } } as const;
  const { id, pass } = await alice.json(request, newPassView);
  const { host, port } = product.running.gateway;
  const env = libpqEnvironment({
    host,
    port: String(port),
    database: "shop",
    user: "alice",
    password: pass,
    sslmode: "verify-full",
    sslrootcert: join(product.directory, "state", "tls", "ca.pem"),
  });
  const psql = spawn("psql", ["-XAt"], { env });
  let stderr = "";
  psql.stderr.on("data", (bytes: Buffer) => (stderr += bytes.toString()));
  psql.stdin.on("error", () => {}); // it may have ended
  const ended = once(psql, "close").then(([status]) => ({ status: status as number | null, stderr }));
  psql.stdin.write("select 'ready';\n");
  await Promise.race([once(psql.stdout, "data"), ended]);
  return { pass: id, ended, type: (text) => void psql.stdin.write(text) };
}

describe.each([
  ["the API", byApi],
  ["sallyport pass revoke", byCommand],
])("a pass that is revoked by %s", (_how, revoke) => {
  test("ends psql in the midst of a statement within 5 s, and tells it why", async () => {
    const psql = await livePsql();
    psql.type("select pg_sleep(120);\n");
    await revoke(psql.pass);
    const revoked = performance.now();
    const { status, stderr } = await psql.ended;
    expect(performance.now() - revoked).toBeLessThan(PROMISE_MS);
    expect([status, stderr]).toEqual([2, expect.stringContaining(MESSAGE)]);
    expect(await newestClosed(alice)).toMatchObject({ pass: psql.pass, reason: "pass-revoked" });
  });

  test("ends a psql that waits for its person within 5 s, and tells it with the next statement", async () => {
    const psql = await livePsql();
    await revoke(psql.pass);
    const revoked = performance.now();
    const closed = await newestClosed(alice);
    expect(performance.now() - revoked).toBeLessThan(PROMISE_MS);
    expect(closed).toMatchObject({ pass: psql.pass, reason: "pass-revoked" });
    psql.type("select 'still here';\n");
    const { status, stderr } = await psql.ended;
    expect([status, stderr]).toEqual([2, expect.stringContaining(MESSAGE)]);
  });
});

test("a pass that is revoked ends its own sessions only", async () => {
  const [kept, ended] = [await livePsql(), await livePsql()];
  await byApi(ended.pass);
  ended.type("select pg_sleep(120);\n");
  await ended.ended;
  expect(await newestClosed(alice)).toMatchObject({ pass: ended.pass });
  const { sessions } = await alice.json({ path: "/api/sessions?live=true" }, sessionsView);
  expect(sessions.map(({ pass }) => pass)).toEqual([kept.pass]);
  kept.type("\\q\n");
  expect(await kept.ended).toEqual({ status: 0, stderr: "" });
});
