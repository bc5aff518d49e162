import { createHash, randomBytes } from "node:crypto";
import { mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { run, succeed } from "../../setup/programs.ts";
import { captureFolder } from "./captured.ts";
import { interpret, ofType, recut, type Step } from "./interpreter-kit.ts";

const sha256 = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");
/** Large enough that clients ask for many pieces ahead. */
const LARGE = randomBytes(3_000_000);
const SMALL = Buffer.from("small\n");

const filesOf = (steps: readonly Step[]) => {
  const events = interpret(steps);
  expect(ofType(events, "not-followed")).toEqual([]);
  expect(interpret(recut(steps, [1, 70, 4_000, 16_384, 33_000]))).toEqual(events);
  return ofType(events, "file");
};

describe("what real clients do, told by the interpreter", () => {
  test("sftp: each operation with its paths and status, each file moved with its bytes and their hash", async () => {
    const { folder, program, env, steps } = await captureFolder();
    await writeFile(join(folder, "large"), LARGE);
    const batch = `put ${folder}/large ${folder}/there\nget ${folder}/there ${folder}/back\nmkdir ${folder}/d
      rename ${folder}/there ${folder}/d/moved\nsymlink moved ${folder}/d/link\nchmod 600 ${folder}/d/moved
      -get ${folder}/nowhere ${folder}/x\n-rmdir ${folder}/d\nls ${folder}/d\nrm ${folder}/d/link\n`;
    await succeed("sftp", ["-S", program, "-b", "-", "host"], { env, input: batch });

    const moved = { bytes: LARGE.length, sha256: sha256(LARGE) };
    expect(filesOf(await steps())).toMatchObject([
      { operation: "write", path: `${folder}/there`, written: moved, status: "ok" },
      { operation: "read", path: `${folder}/there`, read: moved },
      { operation: "mkdir", path: `${folder}/d`, attributes: { permissions: 0o777 } },
      { operation: "rename", path: `${folder}/there`, to: `${folder}/d/moved` },
      { operation: "symlink", path: `${folder}/d/link`, to: "moved" },
      { operation: "setstat", path: `${folder}/d/moved` },
      { operation: "rmdir", path: `${folder}/d`, status: "failure" },
      { operation: "opendir", path: `${folder}/d/` },
      { operation: "remove", path: `${folder}/d/link` },
    ]);
  });

  test("scp by sftp: the file that is sent and the one that is fetched", async () => {
    const there = await captureFolder();
    await writeFile(join(there.folder, "large"), LARGE);
    await succeed("scp", ["-S", there.program, join(there.folder, "large"), `host:${there.folder}/copy`], there);
    const written = { bytes: LARGE.length, sha256: sha256(LARGE) };
    expect(filesOf(await there.steps())).toContainEqual(
      expect.objectContaining({ operation: "write", path: `${there.folder}/copy`, status: "ok", written }),
    );

    const back = await captureFolder();
    await succeed("scp", ["-S", back.program, `host:${there.folder}/copy`, join(back.folder, "back")], back);
    expect(filesOf(await back.steps())).toContainEqual(
      expect.objectContaining({ operation: "read", path: `${there.folder}/copy`, read: written }),
    );
    expect(await readFile(join(back.folder, "back"))).toEqual(LARGE);
  });

  test("scp by its old protocol, folders and all, either way", async () => {
    const there = await captureFolder();
    const from = join(there.folder, "from");
    await mkdir(join(from, "deep"), { recursive: true });
    await writeFile(join(from, "large"), LARGE);
    await writeFile(join(from, "empty"), "");
    await writeFile(join(from, "deep", "small"), SMALL);
    await succeed("scp", ["-O", "-r", "-p", "-S", there.program, from, `host:${there.folder}/to`], there);
    const steps = await there.steps();
    const told = filesOf(steps);
    expect(ofType(interpret(steps), "command-started")).toMatchObject([
      { via: "exec", program: { name: "scp", direction: "to-target", path: `${there.folder}/to` } },
    ]);
    expect(told).toHaveLength(5);
    const large = { operation: "write", path: "from/large", written: { bytes: LARGE.length, sha256: sha256(LARGE) } };
    const small = { operation: "write", path: "from/deep/small", written: { bytes: 6, sha256: sha256(SMALL) } };
    const empty = { operation: "write", path: "from/empty", written: { bytes: 0, sha256: sha256(Buffer.alloc(0)) } };
    const deep = { operation: "mkdir", path: "from/deep" };
    for (const one of [large, small, empty, deep, { operation: "mkdir", path: "from" }])
      expect(told).toContainEqual(expect.objectContaining({ ...one, status: "ok" }));

    const back = await captureFolder();
    await succeed("scp", ["-O", "-r", "-S", back.program, `host:${there.folder}/to`, join(back.folder, "back")], back);
    const read = filesOf(await back.steps());
    expect(read).toHaveLength(3);
    expect(read).toContainEqual(
      expect.objectContaining({ operation: "read", path: "to/large", status: "ok", read: large.written }),
    );
  });

  test("scp by its old protocol, of files that cannot be written or are not there", async () => {
    const there = await captureFolder();
    await writeFile(join(there.folder, "small"), SMALL);
    await mkdir(join(there.folder, "to", "small"), { recursive: true });
    await run("scp", ["-O", "-S", there.program, join(there.folder, "small"), `host:${there.folder}/to`], there);
    expect(filesOf(await there.steps())).toMatchObject([
      { operation: "write", path: "small", status: "failure", message: expect.stringContaining("Is a directory") as string, written: { bytes: 0 } }, // prettier-ignore
    ]);

    const back = await captureFolder();
    await run("scp", ["-O", "-S", back.program, `host:${back.folder}/nowhere`, join(back.folder, "x")], back);
    expect(filesOf(await back.steps())).toMatchObject([
      { operation: "read", path: "", status: "failure", message: expect.stringContaining("No such file") as string },
    ]);
  });

  test("rsync and git are recognised, with the way that their files go", async () => {
    const there = await captureFolder();
    await symlink("nowhere", join(there.folder, "link"));
    await succeed("rsync", ["-a", "-e", there.program, `host:${there.folder}/link`, there.folder], there);
    expect(ofType(interpret(await there.steps()), "command-ended")).toMatchObject([
      {
        outcome: "exited",
        status: 0,
        program: { name: "rsync", direction: "from-target", path: `${there.folder}/link` },
      },
    ]);

    const git = await captureFolder();
    await succeed("git", ["init", "-q", "--bare", join(git.folder, "it's")], git);
    await succeed("git", ["ls-remote", `host:${git.folder}/it's`], git);
    expect(ofType(interpret(await git.steps()), "command-ended")).toMatchObject([
      { outcome: "exited", program: { name: "git", direction: "from-target", path: `${git.folder}/it's` } },
    ]);
  });
});
