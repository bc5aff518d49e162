import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SALLYPORT } from "../setup/product.ts";
import { run } from "../setup/programs.ts";

const POLICIES = `@id("all") permit (principal, action, resource);
@id("no-drop") @reason("not here") forbid (principal, action == Action::"pg:drop", resource);
@id("dear") @reason("take two") @approvers("owners")
forbid (principal, action == Action::"pg:delete", resource) unless { context.approvals >= 2 };`;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "sallyport-test-policy-"));
  await put("config/policies/a.cedar", POLICIES);
  await put(
    "config/connections.yaml",
    "connections: { shop: { protocol: postgres, environment: demo, target: { host: h, database: d }, credentials: { user: u }, access: [engineers] } }",
  );
});
afterAll(async () => rm(folder, { recursive: true, force: true }));

async function put(name: string, text: string): Promise<string> {
  const file = join(folder, name);
  await mkdir(join(file, ".."), { recursive: true });
  await writeFile(file, text);
  return file;
}

/** With no server, and none to be reached. */
async function policy(...args: string[]): Promise<{ status: number | null; text: string; stderr: string }> {
  const env = { ...process.env, XDG_CONFIG_HOME: folder, SALLYPORT_SERVER: "no address at all" };
  const { status, stdout, stderr } = await run(process.execPath, [SALLYPORT, "policy", ...args], { cwd: folder, env });
  return { status, text: stdout.toString(), stderr };
}

describe("sallyport policy check", () => {
  test("says what is valid, and which version of it", async () => {
    expect(await policy("check")).toMatchObject({ status: 0, text: expect.stringMatching(/^config\/policies is valid: 3 policies in 1 files, version [0-9a-f]{12}\n$/) }); // prettier-ignore
    const { text } = await policy("check", "config/policies", "--json");
    expect(JSON.parse(text)).toEqual({
      folder: "config/policies",
      files: 1,
      policies: ["all", "no-drop", "dear"],
      version: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
  });

  test("ends with status 1 and tells every fault with its place", async () => {
    const file = await put(
      "bad/a.cedar",
      'permit all;\n\n@id("x") permit (principal, action == Action::"sing", resource);\n',
    );
    const { status, stderr, text } = await policy("check", join(file, ".."));
    expect([status, text]).toEqual([1, ""]);
    expect(stderr).toMatch(/a\.cedar:1:8: .*\n.*a\.cedar:3:39: policy "x": unrecognized action/);
    const json = await policy("check", join(file, ".."), "--json");
    expect([json.status, JSON.parse(json.stderr).error.code]).toEqual([1, "configuration-invalid"]);
  });

  test.each([
    ["nowhere", /nowhere is not there/],
    ["config", /config\/policies is a folder/],
  ])("%s is no folder of policies", async (name, why) => {
    expect(await policy("check", name)).toMatchObject({ status: 1, stderr: expect.stringMatching(why) });
  });
});

describe("sallyport policy test", () => {
  const GOOD = `
defaults: { groups: [engineers], on: shop, environment: demo }
cases:
  - { sql: "drop table orders", expect: block, policy: no-drop }
  - { sql: "delete from orders", expect: hold, policy: [dear], consents: { owners: 2 } }
  - { action: connect, expect: allow }
  - { action: viewUnmasked, expect: block }`;

  test("is content where every case gets its verdict", async () => {
    await put("config/policy-cases.yaml", GOOD);
    expect(await policy("test")).toEqual({ status: 0, text: "All 4 cases pass.\n", stderr: "" });
    const { text } = await policy("test", "--json");
    expect(JSON.parse(text)).toEqual({ cases: 4, failed: [] });
  });

  test("shows what was expected and what came, and ends with status 1", async () => {
    const wrong = await put(
      "config/wrong.yaml",
      `${GOOD}
  - { sql: "select 1", expect: block }
  - { name: Two of them, sql: "delete from orders", expect: hold, policy: [dear, soft], consents: { owners: 1, dba: 1 } }`,
    );
    const { status, text } = await policy("test", wrong);
    expect([status, text.split("\n")]).toEqual([
      1,
      [
        `case 5 of ${wrong}: select 1`,
        "  - verdict block",
        "  + verdict allow",
        `case 6 of ${wrong}: Two of them`,
        "  - policy dear, soft",
        "  + policy dear",
        "  - consents 1 of dba and 1 of owners",
        "  + consents 2 of owners",
        "  because take two",
        "2 of 6 cases fail.",
        "",
      ],
    ]);
    const json = await policy("test", wrong, "--json");
    expect([json.status, JSON.parse(json.text).failed]).toMatchObject([
      1,
      [
        { number: 5, sql: "select 1", got: { kind: "allow" } },
        { number: 6, differences: [{ what: "policy" }, { what: "consents" }] },
      ],
    ]);
  });

  test("takes the policies from elsewhere, too", async () => {
    await put("config/policy-cases.yaml", GOOD);
    await put("open/a.cedar", '@id("all") permit (principal, action, resource);');
    expect(await policy("test", "--policies", "open")).toMatchObject({
      status: 1,
      text: expect.stringContaining("2 of 4"),
    });
  });

  test("refuses a table that is not one", async () => {
    const file = await put("config/bad.yaml", "cases: [");
    expect(await policy("test", file)).toMatchObject({ status: 1, text: "", stderr: expect.stringContaining(file) });
  });
});

describe("sallyport policy explain", () => {
  test("tells each statement's facts, its verdict, the policies, the reason and who consents", async () => {
    const { status, text } = await policy("explain", "--as", "alice", "--groups", "engineers", "--on", "shop", "select 1; delete from public.orders", "--at", "2026-11-23T22:15Z"); // prettier-ignore
    expect([status, text.split("\n")]).toEqual([
      0,
      [
        "alice (user; engineers) on shop (demo), 2026-11-23 22:15 UTC",
        expect.stringMatching(/^by the policies of version [0-9a-f]{12}$/),
        "",
        "Statement 1",
        "  actions     pg:select",
        "  allow by all",
        "",
        "Statement 2",
        "  actions     pg:delete",
        "  bounded     no",
        "  tables      public.orders",
        "  written     public.orders",
        "  hold by dear",
        "    because take two",
        "    needs consent: 2 of owners",
        "",
        "Together: hold by dear",
        "  because take two",
        "  needs consent: 2 of owners",
        "",
      ],
    ]);
  });

  test("tells a command's facts and its verdict", async () => {
    const command = "sudo rm -rf /srv/x > log 2>&1 &";
    const { status, text } = await policy("explain", "--as", "alice", "--groups", "engineers", "--on", "shop", "--command", command, "--at", "2026-11-23T22:15Z"); // prettier-ignore
    expect([status, text.split("\n").slice(2)]).toEqual([
      0,
      [
        "",
        "Command",
        "  programs    rm sudo",
        "  arguments   -rf /srv/x rm",
        "  written     ./log /srv/x",
        "  it is       sudo, background",
        "",
        "allow by all",
        "",
      ],
    ]);
    const { text: sent } = await policy("explain", "--on", "shop", "--command", "scp -t '/srv/a'");
    expect(sent).toContain("  transfer    scp, write: /srv/a\n");
    const { text: half } = await policy("explain", "--on", "shop", "--command", "echo 'half");
    expect(half).toContain("Command\n  not understood\n");
  });

  test.each([
    [["--file", "write:/srv/a:b"], "write /srv/a:b", { file: { operation: "write", path: "/srv/a:b" } }],
    [["--forward", "db:5432"], "forward to db:5432", { forward: { host: "db", port: 5432 } }],
    [["--listen", "::1:80"], "listen at ::1:80", { listen: { host: "::1", port: 80 } }],
    [["--action", "ssh:shell"], "ssh:shell", { action: "ssh:shell" }],
  ])("tells what becomes of %j", async (args, told, question) => {
    expect((await policy("explain", "--on", "shop", ...args)).text).toContain(`\n${told}\n\nallow by all\n`);
    const { text } = await policy("explain", "--on", "shop", ...args, "--json");
    expect(JSON.parse(text)).toMatchObject({ question, statements: [], verdict: { kind: "allow", policies: ["all"] } });
  });

  test("answers programs in JSON", async () => {
    const { text } = await policy("explain", "--on", "shop", "--kind", "service", "drop table orders", "--json");
    expect(JSON.parse(text)).toMatchObject({
      as: "somebody",
      kind: "service",
      groups: [],
      on: "shop",
      environment: "demo",
      access: ["engineers"],
      at: expect.stringMatching(/Z$/),
      connect: { kind: "allow" },
      statements: [{ facts: { actions: ["pg:drop"], tables: ["orders"] }, verdict: { kind: "block" } }],
      verdict: { kind: "block", policies: ["no-drop"], reason: "not here" },
    });
  });

  test("says where `access` would not even let them in, and cannot be made to control the terminal", async () => {
    const { text } = await policy("explain", "--as", "e\u001b[2Jve", "--on", "shop", 'select "\u001b[2J"()');
    expect(text).toContain("NOTE: `access` of shop names none of these groups");
    expect(text).not.toContain("\u001b");
  });

  test.each([
    [["select 1"], "--on"],
    [["--on", "shop"], "sql"],
    [["--on", "shop", "select 1", "--command", "ls"], "one thing"],
    [["--on", "shop", "--file", "sing:/x"], "It must be an operation and a path"],
    [["--on", "shop", "--forward", "db:65536"], "It must be a host and a port"],
    [["--on", "shop", "--action", "ssh:exec"], "ssh:shell"],
    [["--on", "shop", "--at", "soon", "select 1"], "It must be a time"],
    [["--on", "shop", "--kind", "cat", "select 1"], "user, service"],
  ])("%j is wrong usage: status 2", async (args, why) => {
    expect(await policy("explain", ...args)).toMatchObject({ status: 2, stderr: expect.stringContaining(why) });
  });
});
