import { watch } from "node:fs";
import { readFile } from "node:fs/promises";
import path from "node:path";
import type { Logger } from "pino";
import { parse } from "yaml";
import { asSallyportError } from "../core/errors.ts";
import { systemCode } from "./files.ts";

/** Editors write a file in several steps. */
const SETTLE_MS = 100;

export interface Watched<T> {
  /** As of the newest valid version of the file. */
  readonly current: () => T;
  readonly close: () => void;
}

/**
 * A YAML file that need not be there, followed: a change takes effect at once; an invalid one is logged and changes nothing.
 * @param read  makes the value of the parsed document; throws `configuration-invalid`
 * @param empty the document that is taken where there is no file
 */
export async function watchYaml<T>(
  directory: string,
  name: string,
  { read, empty, logger }: { read: (document: unknown) => T; empty: unknown; logger: Logger },
): Promise<Watched<T>> {
  const file = path.join(directory, name);
  const load = async (): Promise<T> => {
    try {
      const text = await readFile(file, "utf8").catch(unlessMissing);
      return read(text === undefined ? empty : parse(text));
    } catch (thrown) {
      throw asSallyportError(thrown, "configuration-invalid", `${file} cannot be read: ${(thrown as Error).message}`);
    }
  };
  let current = await load();
  let timer: NodeJS.Timeout | undefined;
  const reload = async (): Promise<void> => {
    try {
      current = await load();
      logger.info({ file: name }, "read the configuration again");
    } catch (error) {
      logger.error({ err: error }, "the changed configuration is not valid; the one before it stays in force");
    }
  };
  const watcher = watch(directory, (_event, changed) => {
    if (changed !== name) return;
    clearTimeout(timer);
    timer = setTimeout(() => void reload(), SETTLE_MS);
  });
  return {
    current: () => current,
    close: () => {
      clearTimeout(timer);
      watcher.close();
    },
  };
}

function unlessMissing(thrown: unknown): undefined {
  if (systemCode(thrown) !== "ENOENT") throw thrown;
}
