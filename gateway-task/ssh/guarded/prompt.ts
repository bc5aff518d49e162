/** Of a directory's name, its end. */
const MAX_DIRECTORY = 40;

/** What a person is told at the beginning. */
export const WELCOME =
  "each line is judged by policy, recorded, and run by itself. The directory and variables are kept from line to line; " +
  "functions, aliases and jobs are not.";

/** `web-1 (guarded) ~/src $ `: where the next line runs. Nothing of a directory's name can act on the terminal. */
export function promptOf(connection: string, directory: Buffer | undefined, home: Buffer | undefined): string {
  const path = directory?.toString("utf8") ?? "";
  const begins = home?.toString("utf8") ?? "";
  const within = begins.length > 1 && (path === begins || path.startsWith(`${begins}/`));
  const short = Array.from(
    (within ? `~${path.slice(begins.length)}` : path).replaceAll(/[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/gu, "?"),
  );
  const shown = short.length > MAX_DIRECTORY ? `…${short.slice(-MAX_DIRECTORY).join("")}` : short.join("");
  return `${connection} (guarded) ${shown} $ `;
}
