/** A path that the text does not tell. */
export const UNTOLD_PATH = "*";

/**
 * A path without `.`, `..`, doubled and trailing slashes, as far as text tells: what links point to, it does not. It begins with
 * `/`, with `~` for a home folder, with `./` where it is relative, or with `..` where it leads out of the folder it begins in.
 */
export function normalPath(path: string): string {
  const names = path.split("/");
  const [first = ""] = names;
  const absolute = first === "" && path !== "";
  const home = first.startsWith("~");
  const kept: string[] = [];
  for (const name of absolute || home ? names.slice(1) : names) {
    if (name === "" || name === ".") continue;
    if (name !== "..") kept.push(name);
    else if (kept.length > 0 && kept.at(-1) !== "..") kept.pop();
    else if (!absolute) kept.push(name);
  }
  const rest = kept.join("/");
  if (absolute) return `/${rest}`;
  if (home) return rest === "" ? first : `${first}/${rest}`;
  if (kept[0] === "..") return rest;
  return rest === "" ? "." : `./${rest}`;
}

/** Whether it leads out of the folder that it begins in, to where no text tells. */
export function climbs(path: string): boolean {
  return /^(?:~[^/]*\/)?\.\.(?:\/|$)/.test(path);
}

/**
 * Cedar's sets know no patterns. So a path stands in its set with every folder that it is under, `/etc/**`; with every
 * folder's name, wherever that is, `**\/.ssh/**`; and with its own, `**\/authorized_keys`.
 */
export function withFolders(paths: readonly string[]): readonly string[] {
  const marks = new Set<string>();
  for (const path of paths) {
    marks.add(path);
    if (path === UNTOLD_PATH) continue;
    const names = path.split("/");
    for (let depth = 1; depth < names.length; depth++) {
      marks.add(`${names.slice(0, depth).join("/")}/**`);
      if (depth > 1) marks.add(`**/${names[depth - 1]}/**`);
    }
    if (path !== "/" && names.length > 1) marks.add(`**/${names.at(-1)}`);
  }
  return [...marks];
}
