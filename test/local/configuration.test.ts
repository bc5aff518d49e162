import { EventEmitter, once } from "node:events";
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Configuration } from "../../core/config/configuration.ts";
import { UNGUARDED } from "../../core/policy/unguarded.ts";
import { watchConfiguration } from "../../local/configuration.ts";

const policy = (id: string): string => `@id("${id}") permit (principal, action, resource);`;

let folder: string;
let configuration: Configuration | undefined;
let lines: string[];
const written = new EventEmitter();
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "sallyport-test-configuration-"));
  lines = [];
  await put("connections.yaml", "connections: {}");
});
afterEach(async () => {
  configuration?.close();
  configuration = undefined;
  await rm(folder, { recursive: true, force: true });
});

async function put(name: string, text: string): Promise<void> {
  await mkdir(join(folder, name, ".."), { recursive: true });
  await writeFile(join(folder, name), text);
}

const destination = {
  write: (line: string) => {
    lines.push(line);
    written.emit("line");
  },
};
const logger = pino({}, destination);
const start = async (): Promise<Configuration> =>
  (configuration = await watchConfiguration(folder, Buffer.alloc(32), logger));

/** The next line of the log: nothing else tells that a change was seen. */
async function logged(): Promise<Record<string, unknown>> {
  while (lines.length === 0) await once(written, "line");
  return JSON.parse(lines.shift() ?? "") as Record<string, unknown>;
}

describe("the watched configuration", () => {
  test("without a folder of policies is unguarded, and says so loudly", async () => {
    expect((await start()).policies()).toBe(UNGUARDED);
    expect(await logged()).toMatchObject({ level: 40, msg: expect.stringContaining("unguarded") });
  });

  test("follows policies and connections, and logs each change with its old and its new version", async () => {
    await put("policies/a.cedar", policy("a"));
    const { policies, connections } = await start();
    const before = policies().version;
    await put("policies/b.cedar", policy("b"));
    expect(await logged()).toMatchObject({ level: 30, part: "policies", from: before, to: policies().version });
    expect(policies().version).not.toBe(before);
    await put(
      "connections.yaml",
      "connections: { shop: { protocol: postgres, target: { host: h, database: d }, credentials: { user: u }, access: [] } }",
    );
    expect(await logged()).toMatchObject({ level: 30, part: "connections.yaml" });
    expect([...connections().keys()]).toEqual(["shop"]);
  });

  test("keeps what was in force where the change is not valid, and logs its file and place", async () => {
    await put("policies/a.cedar", policy("a"));
    const { policies } = await start();
    const before = policies();
    await put("policies/a.cedar", "permit everything;");
    expect(await logged()).toMatchObject({
      level: 50,
      part: "policies",
      version: before.version,
      err: { code: "configuration-invalid", message: expect.stringContaining("a.cedar:1:8: ") },
    });
    expect(policies()).toBe(before);
    await put("policies/a.cedar", policy("b"));
    expect(await logged()).toMatchObject({ level: 30, from: before.version });
  });

  test("goes on where an entry of the folder cannot be watched, and says so", async () => {
    const { policies } = await start();
    await logged();
    await symlink("masking.yaml", join(folder, "masking.yaml"));
    expect(await logged()).toMatchObject({ level: 50, msg: "the configuration cannot be followed" });
    expect(await logged()).toMatchObject({ level: 50, part: "masking.yaml" });
    await put("policies/a.cedar", policy("a"));
    expect(await logged()).toMatchObject({ part: "policies", to: policies().version });
  });

  test("is never unguarded again once it was guarded, and follows another folder in the first one's place", async () => {
    await start();
    await logged();
    await put("other/a.cedar", policy("a"));
    await rename(join(folder, "other"), join(folder, "policies"));
    expect(await logged()).toMatchObject({ from: "none" });
    const guarded = configuration?.policies();
    await rm(join(folder, "policies"), { recursive: true });
    expect(await logged()).toMatchObject({
      level: 50,
      err: { message: expect.stringMatching(/is gone|no policy file/) },
    });
    expect(configuration?.policies()).toBe(guarded);
    await put("next/b.cedar", policy("b"));
    await rename(join(folder, "next"), join(folder, "policies"));
    expect(await loggedChange()).toMatchObject({ from: guarded?.version });
    await put("policies/c.cedar", policy("c"));
    expect(await loggedChange()).toMatchObject({ part: "policies" });
  });

  test.each([
    ["a policy that is not valid", "policies/a.cedar", "permit everything;", /a\.cedar:1:8/],
    ["no policy at all", "policies/readme.md", "", /no policy file/],
    ["policies that would not count", "policies/more/a.cedar", policy("a"), /more is a folder/],
  ])("does not start with %s", async (_, name, text, message) => {
    await put(name, text);
    await expect(start()).rejects.toMatchObject({
      code: "configuration-invalid",
      message: expect.stringMatching(message),
    });
  });
});

async function loggedChange(): Promise<Record<string, unknown>> {
  for (;;) {
    const line = await logged();
    if (line["level"] === 30) return line;
  }
}
