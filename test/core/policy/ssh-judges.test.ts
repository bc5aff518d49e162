import { beforeAll, describe, expect, test } from "vitest";
import { SSH_ACTIONS } from "../../../core/policy/actions.ts";
import { commandFacts } from "../../../core/policy/command-facts.ts";
import { FILE_OPERATIONS, type FileOperation } from "../../../core/policy/file-operations.ts";
import { type LoadedPolicies, loadPolicies } from "../../../core/policy/policy-set.ts";
import { actionsNamed } from "../../../core/policy/schema.ts";
import { normalPath, withFolders } from "../../../core/policy/shell/paths.ts";
import { loadShellParser } from "../../../core/policy/shell-parser.ts";
import { UNGUARDED } from "../../../core/policy/unguarded.ts";
import type { Policies, Verdict } from "../../../core/policy/verdict.ts";
import { askOf } from "./kit.ts";

const HERE = { host: "localhost", port: 80 };

/** Each action, asked for in one way that is it. */
const ASKED: Readonly<Record<(typeof SSH_ACTIONS)[number], (policies: Policies) => Verdict>> = {
  "ssh:exec": (policies) => policies.command(askOf(), commandFacts("ls")),
  "ssh:read": (policies) => policies.file(askOf(), { operation: "read", path: "/x" }),
  "ssh:write": (policies) => policies.file(askOf(), { operation: "write", path: "/x" }),
  "ssh:forward": (policies) => policies.forward(askOf(), HERE),
  "ssh:listen": (policies) => policies.listen(askOf(), HERE),
  "ssh:shell": (policies) => policies.ssh(askOf(), "ssh:shell"),
  "ssh:agent": (policies) => policies.ssh(askOf(), "ssh:agent"),
  "ssh:x11": (policies) => policies.ssh(askOf(), "ssh:x11"),
  "ssh:subsystem": (policies) => policies.ssh(askOf(), "ssh:subsystem"),
};

const permitting = (scope: string, more = ""): LoadedPolicies =>
  loadPolicies(new Map([["a.cedar", `@id("it") permit (principal, ${scope}, resource); ${more}`]]));

beforeAll(loadShellParser);

describe("what is asked over SSH", () => {
  test.each(SSH_ACTIONS)("is closed unless a policy permits it, and %s opens nothing else", (action) => {
    const policies = permitting(`action == Action::"${action}"`);
    for (const other of SSH_ACTIONS)
      expect([other, ASKED[other](policies)]).toEqual([
        other,
        other === action
          ? { kind: "allow", policies: ["it"] }
          : { kind: "block", policies: [], reason: `no policy permits ${other} on shop to you` },
      ]);
  });

  test("is in a group of its own, and files are in the groups of what SQL reads and writes", () => {
    const kinds = (scope: string) => SSH_ACTIONS.filter((action) => ASKED[action](permitting(scope)).kind === "allow");
    expect(kinds('action in Action::"ssh"')).toEqual(SSH_ACTIONS);
    expect(kinds('action in Action::"pg"')).toEqual([]);
    expect(kinds('action in Action::"read"')).toEqual(["ssh:read"]);
    expect(kinds('action in Action::"write"')).toEqual(["ssh:write"]);
    expect(kinds('action in [Action::"ddl", Action::"admin", Action::"session"]')).toEqual([]);
    expect(actionsNamed("ssh")).toEqual(SSH_ACTIONS);
    expect(actionsNamed("pg").filter((action) => !action.startsWith("pg:"))).toEqual([]);
  });

  test("is allowed where there are no policies", () => {
    for (const action of SSH_ACTIONS) expect(ASKED[action](UNGUARDED)).toEqual({ kind: "allow", policies: [] });
  });

  test("is held, with consents, as SQL is", () => {
    const held = '@id("two") @reason("take two") @approvers("ops") forbid (principal, action in Action::"ssh", resource) unless { context.approvals >= 2 };'; // prettier-ignore
    for (const action of SSH_ACTIONS)
      expect(ASKED[action](permitting("action", held))).toEqual({
        kind: "hold",
        policies: ["two"],
        reason: "take two",
        consents: [{ group: "ops", count: 2 }],
      });
  });

  test("gets the same verdict from the cache as without, and another one an hour later where policies look at the clock", () => {
    const late = '@id("late") @reason("late") forbid (principal, action in Action::"ssh", resource) when { context.hour >= 13 };'; // prettier-ignore
    const policies = permitting("action", late);
    const facts = commandFacts("ls");
    const first = policies.command(askOf(), facts);
    expect(policies.command(askOf(), commandFacts("ls"))).toBe(first);
    expect(policies.command(askOf({ now: askOf().now + 3_600_000 }), facts)).toMatchObject({ policies: ["late"] });
    expect(policies.command(askOf({ groups: ["others"] }), facts)).not.toBe(first);
  });
});

describe("a file", () => {
  test.each(Object.entries(FILE_OPERATIONS) as [FileOperation, string][])("%s is %s", (operation, action) => {
    const policies = permitting(`action == Action::"${action}"`);
    expect(policies.file(askOf(), { operation, path: "/x" }).kind).toBe("allow");
    const other = permitting(`action in Action::"ssh"`, `@id("no") @reason("no") forbid (principal, action == Action::"${action}", resource) when { context.operation == "${operation}" && context.path == "/a/b" };`); // prettier-ignore
    expect(other.file(askOf(), { operation, path: "/a/./c/..//b/" })).toMatchObject({ policies: ["no"] });
  });

  test.each([
    ["scp -t /srv/x", "ssh:write", "scp", "/srv/x"],
    ["scp -t /srv", "ssh:write", "scp", "/srv/{}"],
    ["scp -r -f x/../y", "ssh:read", "scp", "./y"],
    ["rsync --server -e.L . /a /b", "ssh:write", "rsync", "/b"],
    ["rsync --server --sender -e.L . /a /b", "ssh:read", "rsync", "/a"],
    ["git-receive-pack '~/x.git'", "ssh:write", "git", "~/x.git"],
    ["git-upload-pack 'x.git'", "ssh:read", "git", "./x.git"],
    ["internal-sftp", "ssh:read", "sftp-server", "*"],
    ["internal-sftp", "ssh:write", "sftp-server", "*"],
  ])("that %j moves is asked for by %s, with the operation %s and the path %s", (command, action, operation, path) => {
    const no = `@id("no") @reason("no") forbid (principal, action == Action::"${action}", resource) when { context.operation == "${operation}" && context.path == "${path}" };`; // prettier-ignore
    const policies = permitting('action in [Action::"ssh:read", Action::"ssh:write"]', no);
    expect(policies.command(askOf(), commandFacts(command))).toMatchObject({ kind: "block", policies: ["no"] });
  });
});

test("a host is the same host whatever its letters' case, with a dot at its end, and in brackets", () => {
  const policies = permitting('action == Action::"ssh:forward"', '@id("no") @reason("no") forbid (principal, action, resource) when { context has host && (context.host == "db.internal" || context.host == "::1") };'); // prettier-ignore
  for (const host of ["db.internal", "DB.Internal", "db.internal.", "[::1]", "::1"])
    expect([host, policies.forward(askOf(), { host, port: 1 }).kind]).toEqual([host, "block"]);
  expect(policies.forward(askOf(), { host: "db.internal.x", port: 1 }).kind).toBe("allow");
});

test("a command that is not understood is denied by any policy on what it may do", () => {
  for (const fact of ["dynamic", "sudo", "network", "interpreter", "substitutions", "background", "forkBomb"]) {
    const no = `@id("no") @reason("no") forbid (principal, action == Action::"ssh:exec", resource) when { context.${fact} };`;
    expect(permitting("action", no).command(askOf(), commandFacts("echo '")).kind).toBe("block");
  }
});

describe("a path", () => {
  test.each([
    ["/", "/"],
    ["//etc///x/", "/etc/x"],
    ["/a/../../b", "/b"],
    ["a", "./a"],
    ["./a/.", "./a"],
    ["", "."],
    [".", "."],
    ["a/..", "."],
    ["../a", "../a"],
    ["a/../../b", "../b"],
    ["~", "~"],
    ["~/", "~"],
    ["~bob/./x", "~bob/x"],
    ["~/../bob/x", "~/../bob/x"],
    ["...", "./..."],
  ])("%j is %j", (path, normal) => {
    expect(normalPath(path)).toBe(normal);
  });

  test("stands among the folders that it is under, whatever those are under", () => {
    expect(withFolders(["/etc/ssh/sshd_config"])).toEqual([
      "/etc/ssh/sshd_config",
      "/**",
      "/etc/**",
      "**/etc/**",
      "/etc/ssh/**",
      "**/ssh/**",
      "**/sshd_config",
    ]);
    expect(withFolders(["~/.ssh/authorized_keys"])).toEqual(
      expect.arrayContaining(["~/**", "~/.ssh/**", "**/.ssh/**", "**/authorized_keys"]),
    );
    expect(withFolders(["*", "/", "~"])).toEqual(["*", "/", "/**", "~"]);
  });
});
