import { z } from "zod";
import { SallyportError } from "../errors.ts";
import { isMailAddress } from "../identity/mail-address.ts";

const person = z.strictObject({
  email: z.string().refine(isMailAddress, "must be an e-mail address"),
  name: z.string().min(1).max(255).optional(),
  groups: z.array(z.string().min(1).max(256)).max(256),
});
/** Who has more people than that lets them sign in first. */
const directoryFile = z.strictObject({ people: z.array(person).max(10_000) });

/** Somebody whom an installation knows before they first sign in. */
interface DirectoryPerson {
  readonly email: string;
  readonly name: string;
  readonly groups: readonly string[];
}
export type Directory = readonly DirectoryPerson[];

/** The people of a parsed `directory.yaml`. Throws `configuration-invalid` naming every fault and its place. */
export function parseDirectory(document: unknown): Directory {
  const parsed = directoryFile.safeParse(document);
  if (parsed.success) return parsed.data.people.map((one) => ({ ...one, name: one.name ?? one.email }));
  throw new SallyportError("configuration-invalid", `directory.yaml is not valid:\n${z.prettifyError(parsed.error)}`);
}
