import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { dynamoSessionStore } from "../../../aws/dynamo/session-store.ts";
import { FRAME_KIND, readFrames } from "../../../core/recording/frame.ts";
import { readSession } from "../../../core/recording/reader.ts";
import { verifySession } from "../../../core/recording/verify.ts";
import { LEASE_TTL_MS } from "../../../core/recording/spool-lease.ts";
import { fileChunkStore } from "../../../local/chunk-store.ts";
import { fileSigner } from "../../../local/signer.ts";
import { type LocalDynamo, startDynamo } from "../../setup/dynamodb.ts";
import type { RecorderProcess } from "../../setup/recorder-process.ts";

const PROGRAM = resolve("test/setup/recorder-process.ts");
/** What is waited for lasts LEASE_TTL_MS at least; a busy machine takes its time. */
const PATIENCE = { timeout: 60_000 };

let dynamo: LocalDynamo;
let directory: string;
let shared: Omit<RecorderProcess, "task">;
let children: ChildProcess[];

beforeAll(async () => {
  dynamo = await startDynamo();
});
afterAll(async () => dynamo.stop());

beforeEach(async () => {
  children = [];
  directory = await mkdtemp(join(tmpdir(), "sallyport-two-tasks-"));
  await mkdir(join(directory, "spool"));
  const { endpoint } = dynamo.client.config;
  if (endpoint === undefined) throw new Error("the local engine has no address");
  const { protocol, hostname, port } = await endpoint();
  shared = {
    directory,
    endpoint: `${protocol}//${hostname}:${port}`,
    coordination: await dynamo.table("coordination"),
    sessions: await dynamo.table("sessions"),
  };
});
afterEach(async () => {
  for (const child of children.filter(({ exitCode, signalCode }) => exitCode === null && signalCode === null)) {
    child.kill("SIGKILL");
    await once(child, "exit");
  }
  await rm(directory, { recursive: true, force: true });
});

/** A recorder of its own process, and the lines that it has said. */
function task(name: string, asks?: string) {
  const options: RecorderProcess = { ...shared, task: name, ...(asks === undefined ? {} : { asks }) };
  const child = spawn(process.execPath, [PROGRAM, JSON.stringify(options)], { stdio: ["pipe", "pipe", "ignore"] });
  children.push(child);
  let text = "";
  child.stdout.on("data", (bytes: Buffer) => (text += bytes.toString()));
  return { child, said: () => text.split("\n").filter(Boolean) };
}

const spools = async () => (await readdir(join(directory, "spool"))).toSorted();

/** The one session that was recorded: its row, whether it verifies, and what was asked in it. */
async function recorded() {
  const chunks = fileChunkStore(join(directory, "recordings"));
  const signer = await fileSigner(join(directory, "signing-key.pem"));
  const [row] = await dynamoSessionStore(dynamo.client, shared.sessions).list({ limit: 10 });
  if (row === undefined) throw new Error("no session is in the index");
  const asked: Buffer[] = [];
  for await (const { body } of readSession(chunks, row.id))
    for (const frame of readFrames(body)) if (frame.kind === FRAME_KIND.input) asked.push(Buffer.from(frame.payload));
  const { ok } = await verifySession(chunks, row.id, [signer.publicKey]);
  return { reason: row.closing?.reason, ok, asked: Buffer.concat(asked).toString() };
}

describe("two tasks on one spool folder, with their leases in DynamoDB", () => {
  it("leave each other's spool alone while both live, and the one takes over what the other left when it was killed", async () => {
    const first = task("first", "select 1");
    await expect.poll(first.said, PATIENCE).toContain("recorded");
    task("second");
    await expect.poll(spools, PATIENCE).toEqual(["first", "second"]);
    await sleep(LEASE_TTL_MS + 3_000); // the promise is that nothing happens for longer than a lease lasts
    expect(await spools()).toEqual(["first", "second"]);
    expect(first.said()).toEqual(["recorded"]);
    first.child.kill("SIGKILL");
    await expect.poll(spools, PATIENCE).toEqual(["second"]);
    expect(await recorded()).toEqual({ reason: "interrupted", ok: true, asked: "select 1" });
  }, 120_000);

  it("never forward what nobody would read: one that was stopped for so long that its spool was taken refuses what came meanwhile", async () => {
    const first = task("first", "select 1");
    await expect.poll(first.said, PATIENCE).toContain("recorded");
    first.child.kill("SIGSTOP");
    first.child.stdin?.write("drop table orders");
    task("second");
    await expect.poll(spools, PATIENCE).toEqual(["second"]);
    first.child.kill("SIGCONT");
    await expect.poll(() => first.said().join("\n"), PATIENCE).toMatch(/^failed: /m);
    expect(first.said().filter((line) => line.startsWith("forwarded"))).toEqual([]);
    expect(first.said().join("\n")).toMatch(/^refused: /m);
    expect(await recorded()).toEqual({ reason: "interrupted", ok: true, asked: "select 1" });
  }, 120_000);
});
