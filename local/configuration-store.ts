import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { checkBundle } from "../core/config/bundle.ts";
import { bundleJson, bundleOf, isVersion, publishedOf } from "../core/config/bundle-json.ts";
import { asSallyportError, SallyportError } from "../core/errors.ts";
import type { Clock } from "../core/ports/clock.ts";
import { type ConfigurationStore, HISTORY, type PublishedVersion } from "../core/ports/configuration-store.ts";
import { makeFolder, syncFolder, systemCode, writeOnce } from "./files.ts";

const FOLDER_MODE = 0o700;
const FILE_MODE = 0o400;
const ENTRY = /^(\d{8})\.json$/;

/**
 * Configurations in a folder: `versions/<SHA-256>.json`, and a file a publishing, `history/<8 digits>.json`, of which the last is in
 * force. A number can be taken once only, which is what parts two who publish at once.
 */
export function fileConfigurationStore(directory: string, clock: Clock): ConfigurationStore {
  const history = path.join(directory, "history");
  const versions = path.join(directory, "versions");
  const write = async (folder: string, name: string, text: string): Promise<boolean> => {
    await makeFolder(folder, FOLDER_MODE);
    const written = await writeOnce(path.join(folder, name), Buffer.from(text), FILE_MODE);
    await syncFolder(folder);
    return written;
  };
  const numbers = async (): Promise<number[]> => {
    const names = await readdir(history).catch(ifMissing<string[]>([]));
    return names
      .flatMap((name) => ENTRY.exec(name)?.[1] ?? [])
      .map(Number)
      .toSorted((one, other) => other - one);
  };
  const entry = async (number: number): Promise<PublishedVersion> =>
    publishedOf(await readFile(path.join(history, nameOf(number)), "utf8"));
  const list = async (limit: number): Promise<PublishedVersion[]> =>
    Promise.all((await numbers()).slice(0, Math.min(limit, HISTORY)).map(entry));
  return {
    publish: async (files, by, expected) => {
      const { version } = checkBundle(files);
      return guarded("publish a configuration", async () => {
        const [last = 0] = await numbers();
        const before = last === 0 ? undefined : await entry(last);
        if (expected !== undefined && before?.version !== expected) throw overtaken();
        await write(versions, `${version}.json`, bundleJson(files));
        const published = { version, by, at: clock() };
        if (!(await write(history, nameOf(last + 1), JSON.stringify(published)))) throw overtaken();
        return published;
      });
    },
    current: () => guarded("tell the configuration in force", async () => (await list(1))[0]),
    versions: (limit) => guarded("list configurations", () => list(limit)),
    get: (version) =>
      guarded("read a configuration", async () => {
        const file = path.join(versions, `${version}.json`);
        const json = isVersion(version) ? await readFile(file, "utf8").catch(ifMissing(undefined)) : undefined;
        if (json !== undefined) return bundleOf(json, version);
        throw new SallyportError("not-found", "there is no such version of the configuration");
      }),
  };
}

const nameOf = (number: number): string => `${String(number).padStart(8, "0")}.json`;

function ifMissing<T>(otherwise: T): (thrown: unknown) => T {
  return (thrown) => {
    if (systemCode(thrown) === "ENOENT") return otherwise;
    throw thrown;
  };
}

function overtaken(): SallyportError {
  return new SallyportError("conflict", "another configuration was published meanwhile", {
    hint: "Look at what is in force now, then publish again.",
  });
}

async function guarded<T>(what: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (thrown) {
    throw asSallyportError(thrown, "store-unavailable", `the configuration store could not ${what}`);
  }
}
