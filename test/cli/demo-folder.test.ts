import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { freshDemoFolder, removeTargets } from "../../cli/demo-folder.ts";
import { openLocalState } from "../../local/state.ts";

let parent: string;
let folder: string;
beforeAll(async () => void (parent = await mkdtemp(join(tmpdir(), "sallyport-test-folder-"))));
beforeEach(async () => void (folder = await mkdtemp(join(parent, "x-"))));
afterAll(async () => rm(parent, { recursive: true, force: true }));

test("what an earlier demo left is removed", async () => {
  const first = await freshDemoFolder(folder);
  await writeFile(join(first.state, "left"), "over");
  const second = await freshDemoFolder(folder);
  expect(second).toEqual(first);
  expect(await readdir(second.state)).toEqual(["secrets"]);
});

test("a folder that holds anything else is left alone", async () => {
  await writeFile(join(folder, "thesis.tex"), "years of work");
  await expect(freshDemoFolder(folder)).rejects.toMatchObject({ code: "conflict" });
  expect(await readdir(folder)).toEqual(["thesis.tex"]);
});

test("the folder of a demo that runs is left alone", async () => {
  const { state } = await freshDemoFolder(folder);
  const running = await openLocalState(state);
  await expect(freshDemoFolder(folder)).rejects.toMatchObject({ code: "conflict" });
  expect(await readdir(state)).toContain("lock.sqlite");
  running.close();
});

test("a link that leads somewhere else than to a target of ours is removed, and what it leads to is not", async () => {
  const elsewhere = join(await mkdtemp(join(parent, "y-")), "precious");
  await mkdir(elsewhere);
  await writeFile(join(elsewhere, "kept"), "");
  const demo = await freshDemoFolder(folder);
  await symlink(elsewhere, demo.postgres);
  await symlink(elsewhere, demo.web);
  await removeTargets(demo);
  expect((await readdir(folder)).filter((name) => ["postgres", "web-1"].includes(name))).toEqual([]);
  expect(await readdir(elsewhere)).toEqual(["kept"]);
});
