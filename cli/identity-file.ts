import { parse } from "yaml";
import { type IdentitySettings, parseIdentity } from "../core/config/identity.ts";
import { SallyportError } from "../core/errors.ts";
import { readPublic } from "./private-files.ts";

/** The identity settings of a file of YAML. Throws `configuration-invalid`, with the file and the place in it. */
export async function readIdentityFile(file: string): Promise<IdentitySettings> {
  const text = await readPublic(file);
  if (text === undefined) throw new SallyportError("configuration-invalid", `${file} is not there`);
  return parseIdentity(yamlOf(text, file), file);
}

function yamlOf(text: string, file: string): unknown {
  try {
    return parse(text);
  } catch (cause) {
    const why = cause instanceof Error ? `: ${cause.message.split("\n", 1)[0] ?? ""}` : "";
    throw new SallyportError("configuration-invalid", `${file} is no YAML${why}`, { cause });
  }
}
