import { ERRORS, type ErrorCode } from "../core/errors.ts";

/** What a command ends with. `sallyport psql` and `ssh` end with the client's own status once it runs. */
export const EXIT = { ok: 0, failure: 1, usage: 2, notSignedIn: 3, refused: 4 } as const;

export const EXIT_STATUSES = `Exit status:
  0  done
  1  it failed: the server is not reachable, a recording does not verify, …
  2  wrong usage: an unknown command or option, a value that cannot be
  3  not signed in: run \`sallyport login\`
  4  denied, or not there for you
  \`sallyport psql\` and \`sallyport ssh\` end with the status of psql and ssh.`;

const REFUSALS: ReadonlySet<number> = new Set([403, 404]);

export function exitStatusOf(code: ErrorCode): number {
  if (code === "bad-request") return EXIT.usage;
  if (code === "sign-in-required") return EXIT.notSignedIn;
  return REFUSALS.has(ERRORS[code].http) ? EXIT.refused : EXIT.failure;
}
