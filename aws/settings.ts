import { SallyportError } from "../core/errors.ts";
import { ENVIRONMENT } from "./environment.ts";

type Environment = Readonly<Record<string, string | undefined>>;
type Name = keyof typeof ENVIRONMENT;

/** What the stacks told a program. */
export interface Settings {
  /** Throws `configuration-invalid` where it was not told. */
  required(name: Name): string;
  /** Undefined also where it is empty. */
  optional(name: Name): string | undefined;
}

/** Reads the variables of `aws/environment.ts`, such as `process.env` has them. */
export function settingsIn(environment: Environment): Settings {
  const optional = (name: Name): string | undefined => environment[ENVIRONMENT[name]] || undefined;
  return {
    optional,
    required: (name) => {
      const value = optional(name);
      if (value !== undefined) return value;
      throw new SallyportError("configuration-invalid", `the environment variable ${ENVIRONMENT[name]} is not set`, {
        hint: "The stacks set it: was this deployed by `npx cdk deploy --all`?",
      });
    },
  };
}
