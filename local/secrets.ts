import { readFile } from "node:fs/promises";
import path from "node:path";
import { SallyportError } from "../core/errors.ts";
import type { Secrets } from "../core/ports/secrets.ts";

/** A name is one file of the folder: letters, digits, dots, dashes, never a path. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

/** Secrets as files of one folder, mode 0600, named for the secret; one line feed at the end does not count. */
export function fileSecrets(directory: string): Secrets {
  return {
    async get(name) {
      if (!NAME.test(name)) throw new SallyportError("not-found", `"${name}" cannot be the name of a secret`);
      try {
        return (await readFile(path.join(directory, name), "utf8")).replace(/\r?\n$/, "");
      } catch (cause) {
        if ((cause as NodeJS.ErrnoException).code === "ENOENT")
          throw new SallyportError("not-found", `the secret "${name}" is missing`, { cause });
        throw new SallyportError("store-unavailable", `the secret "${name}" cannot be read`, { cause });
      }
    },
  };
}
