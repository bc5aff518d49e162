import { createHash } from "node:crypto";
import { type FSWatcher, watch } from "node:fs";
import { readFile } from "node:fs/promises";
import path from "node:path";
import type { Logger } from "pino";
import { parse } from "yaml";
import type { Configuration } from "../core/config/configuration.ts";
import { type Connections, parseConnections } from "../core/config/connections.ts";
import { type Directory, parseDirectory } from "../core/config/directory.ts";
import { parseServices, type Services } from "../core/config/services.ts";
import { asSallyportError, SallyportError } from "../core/errors.ts";
import { parseMasking } from "../core/masking/config.ts";
import type { MaskingConfig } from "../core/masking/masking.ts";
import { loadPolicies } from "../core/policy/policy-set.ts";
import { UNGUARDED } from "../core/policy/unguarded.ts";
import type { Policies } from "../core/policy/verdict.ts";
import { systemCode } from "./files.ts";
import { follow, type Versioned } from "./followed.ts";
import { readPolicyFiles } from "./policy-files.ts";

const CONNECTIONS = "connections.yaml";
const POLICIES = "policies";
const DIRECTORY = "directory.yaml";
const MASKING = "masking.yaml";
const SERVICES = "services.yaml";
/** Editors write a file in several steps, and a checkout several files. */
const SETTLE_MS = 100;

/**
 * Reads a folder's `connections.yaml`, `policies/`, `directory.yaml`, `services.yaml` and `masking.yaml`, and follows them. A change takes effect at
 * the next log-in, of policies at the next statement; an invalid one is logged and changes nothing. Rejects with
 * `configuration-invalid`, which says where the fault is.
 * @param key the deployment's secret for masks that hash
 */
export async function watchConfiguration(directory: string, key: Uint8Array, logger: Logger): Promise<Configuration> {
  const connections = await follow(CONNECTIONS, logger, async () => readConnections(directory));
  const policies = await follow<Policies>(POLICIES, logger, async (before) => readPolicies(directory, before));
  const people = await follow(DIRECTORY, logger, async () => readDirectory(directory));
  const services = await follow(SERVICES, logger, async () => readServices(directory));
  if (policies.current() === UNGUARDED)
    logger.warn(
      { folder: path.join(directory, POLICIES) },
      "there are no policies: whoever may connect may do everything, unguarded",
    );
  const masking = await follow<MaskingConfig | undefined>(MASKING, logger, async (before) =>
    readMasking(directory, key, before),
  );
  const watchers = watching(directory, logger, {
    [CONNECTIONS]: () => connections.reload(),
    [POLICIES]: () => policies.reload(),
    [DIRECTORY]: () => people.reload(),
    [SERVICES]: () => services.reload(),
    [MASKING]: () => masking.reload(),
  });
  // What changed before they were watched.
  await Promise.all([connections.reload(), policies.reload(), people.reload(), services.reload(), masking.reload()]);
  return {
    connections: connections.current,
    policies: policies.current,
    directory: people.current,
    services: services.current,
    masking: masking.current,
    close: watchers.close,
  };
}

function readConnections(directory: string): Promise<Versioned<Connections>> {
  return readYaml(path.join(directory, CONNECTIONS), parseConnections, (file) => readFile(file, "utf8"));
}

/** Without the file nobody is known before they sign in. */
function readDirectory(directory: string): Promise<Versioned<Directory>> {
  return readYaml(path.join(directory, DIRECTORY), parseDirectory, (file) => readOptional(file, "people: []"));
}

/** Without the file there are none: taken away while we run, it ends every exchange. */
function readServices(directory: string): Promise<Versioned<Services>> {
  return readYaml(path.join(directory, SERVICES), parseServices, (file) => readOptional(file, "{}"));
}

async function readOptional(file: string, otherwise: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (thrown) {
    if (systemCode(thrown) === "ENOENT") return otherwise;
    throw thrown;
  }
}

async function readYaml<T>(
  file: string,
  parsed: (document: unknown) => T,
  read: (file: string) => Promise<string>,
): Promise<Versioned<T>> {
  try {
    const text = await read(file);
    return { version: createHash("sha256").update(text).digest("hex"), value: parsed(parse(text)) };
  } catch (thrown) {
    throw asSallyportError(thrown, "configuration-invalid", `${file} cannot be read: ${(thrown as Error).message}`);
  }
}

/** Whoever takes the folder away while we run has not meant to take every guard away. */
async function readPolicies(directory: string, before: Versioned<Policies> | undefined): Promise<Versioned<Policies>> {
  const folder = path.join(directory, POLICIES);
  const files = await readPolicyFiles(folder);
  const value = files === undefined ? UNGUARDED : loadPolicies(files);
  if (value !== UNGUARDED || before === undefined || before.value === UNGUARDED)
    return { version: value.version, value };
  throw new SallyportError("configuration-invalid", `${folder} is gone`, {
    hint: "To run without policies, start again without the folder.",
  });
}

/** Whoever takes the file away while we run has not meant to take every mask off. */
async function readMasking(
  directory: string,
  key: Uint8Array,
  before: Versioned<MaskingConfig | undefined> | undefined,
): Promise<Versioned<MaskingConfig | undefined>> {
  const file = path.join(directory, MASKING);
  try {
    const value = parseMasking(parse(await readFile(file, "utf8")), key);
    return { version: value.version, value };
  } catch (thrown) {
    if (systemCode(thrown) !== "ENOENT")
      throw asSallyportError(thrown, "configuration-invalid", `${file} cannot be read: ${(thrown as Error).message}`);
    if (before?.value === undefined) return { version: "none", value: undefined };
    throw new SallyportError("configuration-invalid", `${file} is gone`, {
      hint: "To run without masks, start again without the file.",
    });
  }
}

/**
 * Calls what belongs to an entry of the folder when the entry changes, or, where it is a folder, something in it.
 * @param reloads by the entry's name
 */
function watching(
  directory: string,
  logger: Logger,
  reloads: Readonly<Record<string, () => Promise<void>>>,
): { close: () => void } {
  const timers = new Map<string, NodeJS.Timeout>();
  const inner = new Map<string, FSWatcher>();
  const changed = (entry: string): void => {
    clearTimeout(timers.get(entry));
    timers.set(
      entry,
      setTimeout(() => {
        try {
          lookInto(entry);
        } catch (thrown) {
          failed(thrown as Error); // its file is read all the same
        }
        void reloads[entry]?.();
      }, SETTLE_MS),
    );
  };
  /** Another folder may have come in its place: a watcher follows the folder that it began with. */
  const lookInto = (entry: string): void => {
    inner.get(entry)?.close();
    inner.delete(entry);
    const watcher = watchFolder(path.join(directory, entry), () => changed(entry));
    if (watcher) inner.set(entry, watcher.on("error", failed));
  };
  const failed = (error: Error): void => logger.error({ err: error }, "the configuration cannot be followed");
  const outer = watch(directory, (_event, name) => {
    if (name !== null && Object.hasOwn(reloads, name)) changed(name);
  }).on("error", failed);
  for (const entry of Object.keys(reloads)) lookInto(entry);
  return {
    close: () => {
      for (const timer of timers.values()) clearTimeout(timer);
      for (const watcher of [outer, ...inner.values()]) watcher.close();
    },
  };
}

function watchFolder(folder: string, changed: () => void): FSWatcher | undefined {
  try {
    return watch(folder, changed);
  } catch (thrown) {
    if (systemCode(thrown) === "ENOENT") return undefined;
    throw thrown;
  }
}
