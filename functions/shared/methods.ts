/** What of a hono app says what it answers. */
export interface Routed {
  readonly routes: readonly { readonly method: string; readonly path: string }[];
}

/** A middleware's: it answers nothing by itself. */
const EVERY_METHOD = "ALL";

/** The methods that an app answers at this path, by name; HEAD where it answers GET (RFC 9110 §9.3.2). */
export function methodsAt({ routes }: Routed, path: string): string[] {
  const methods = routes.filter(({ method, path: pattern }) => method !== EVERY_METHOD && fits(pattern, path));
  const names = new Set(methods.map(({ method }) => method));
  if (names.has("GET")) names.add("HEAD");
  return [...names].toSorted();
}

/** Our patterns name whole segments (`:id`), and have neither options nor expressions. */
function fits(pattern: string, path: string): boolean {
  const [wanted, given] = [pattern.split("/"), path.split("/")];
  return (
    wanted.length === given.length &&
    wanted.every((segment, n) => (segment.startsWith(":") ? given[n] !== "" : segment === given[n]))
  );
}
