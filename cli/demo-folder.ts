import { existsSync } from "node:fs";
import { mkdir, readdir, realpath, rm, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { SallyportError } from "../core/errors.ts";
import { systemCode } from "../local/files.ts";
import { openLocalState } from "../local/state.ts";
import { PRIVATE_FOLDER } from "./private-files.ts";

export interface DemoFolder {
  readonly state: string;
  readonly config: string;
  readonly postgres: string;
  /** The machine that is reached by SSH: what its user calls home. */
  readonly web: string;
  /** The gateway's line for ssh, which has a new key each time. */
  readonly knownHosts: string;
  /** Recordings as files, with their terminals. */
  readonly exported: string;
  readonly log: string;
}

/** Tells a folder that a demo made from one that holds something of worth. */
const MARK = ".sallyport-demo";
/** Open to other accounts, as PostgreSQL runs as one when we are root; what is secret lies in folders of its own. */
const FOLDER_MODE = 0o755;

/**
 * An empty folder for a demo; what an earlier one left in it is removed.
 * Throws `conflict` where a demo runs on it, or where it holds something else.
 */
export async function freshDemoFolder(folder: string): Promise<DemoFolder> {
  const root = resolve(folder);
  const inside: DemoFolder = {
    state: join(root, "state"),
    config: join(root, "config"),
    postgres: join(root, "postgres"),
    web: join(root, "web-1"),
    knownHosts: join(root, "known_hosts"),
    exported: join(root, "exported"),
    log: join(root, "sallyport.log"),
  };
  const there = await readdir(root).catch(unlessAbsent);
  if (there.length > 0 && !there.includes(MARK))
    throw new SallyportError("conflict", `${root} holds something else than a demo`, {
      hint: "Give an empty folder, or one that is not there yet, with --state.",
    });
  if (existsSync(inside.state)) (await openLocalState(inside.state)).close();
  await removeTargets(inside);
  await rm(root, { recursive: true, force: true });
  await mkdir(root, { recursive: true, mode: FOLDER_MODE });
  await writeFile(join(root, MARK), "Made by `sallyport demo`, and removed by the next one.\n");
  await mkdir(join(inside.state, "secrets"), { recursive: true, mode: PRIVATE_FOLDER });
  await mkdir(inside.config, { mode: PRIVATE_FOLDER });
  return inside;
}

/**
 * What the gateway led to: the cluster, and the home of the machine that is reached by SSH. Where their account could not reach
 * the folder, they are elsewhere, and a link leads there.
 */
export async function removeTargets({ postgres, web }: DemoFolder): Promise<void> {
  for (const target of [postgres, web]) {
    const real = await realpath(target).catch(() => target);
    const ours = dirname(real) === dirname(target) || /^\/var\/tmp\/sallyport-(?:postgres|ssh)-[^/]+$/.test(real);
    if (ours) await rm(real, { recursive: true, force: true });
    await rm(target, { recursive: true, force: true });
  }
}

function unlessAbsent(thrown: unknown): string[] {
  if (systemCode(thrown) === "ENOENT") return [];
  throw thrown;
}
