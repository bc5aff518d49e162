import { watch } from "node:fs";
import { readFile } from "node:fs/promises";
import path from "node:path";
import type { Logger } from "pino";
import { parse } from "yaml";
import { parseConnections, type Connections } from "../core/config/connections.ts";
import { asSallyportError } from "../core/errors.ts";

const FILE = "connections.yaml";
/** Editors write a file in several steps. */
const SETTLE_MS = 100;

export interface WatchedConnections {
  /** The newest valid configuration. */
  readonly current: () => Connections;
  close(): void;
}

/** Reads `connections.yaml` of a folder. Throws `configuration-invalid`, which says where the fault is. */
async function readConnections(directory: string): Promise<Connections> {
  const file = path.join(directory, FILE);
  try {
    return parseConnections(parse(await readFile(file, "utf8")));
  } catch (thrown) {
    throw asSallyportError(thrown, "configuration-invalid", `${file} cannot be read: ${(thrown as Error).message}`);
  }
}

/** The same, followed: a change takes effect at the next log-in; an invalid one is logged and changes nothing. */
export async function watchConnections(directory: string, logger: Logger): Promise<WatchedConnections> {
  let current = await readConnections(directory);
  let timer: NodeJS.Timeout | undefined;
  const reload = async (): Promise<void> => {
    try {
      current = await readConnections(directory);
      logger.info({ connections: current.size }, "read the configuration again");
    } catch (error) {
      logger.error({ err: error }, "the changed configuration is not valid; the one before it stays in force");
    }
  };
  const watcher = watch(directory, (_event, name) => {
    if (name !== FILE) return;
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
