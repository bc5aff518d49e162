import { SallyportError } from "../../core/errors.ts";
import type { Site } from "./site.ts";

/** It travels inside a cookie, together with the rest of a pending sign-in (4,096 bytes, RFC 6265 §6.1). */
const MAX_RETURN_PATH = 1024;

/** Visible ASCII without the backslash, which browsers read as a slash (WHATWG URL §4.4). */
const RELATIVE = /^\/[!-[\]-~]*$/;

/** Pages of the sign-in itself, where a return would go in circles; the device page is where people are sent to. */
const SIGN_IN_ITSELF = /^\/auth\/(?!device$)/;

/**
 * Where to go after signing in: a path of this very site.
 * @param text what the request says; any text
 * @returns the absolute URL, always of our own origin. Throws `bad-request` for anything else.
 */
export function returnUrl(text: string, site: Site): string {
  const url = text.length <= MAX_RETURN_PATH && RELATIVE.test(text) ? URL.parse(text, site.origin) : null;
  if (url === null || url.origin !== site.origin || text.startsWith("//") || SIGN_IN_ITSELF.test(url.pathname))
    throw new SallyportError("bad-request", "return_to must be a path of this site");
  url.hash = "";
  return url.href;
}

/** The address of the sign-in that comes back to the page that was asked for, or home where that has too long a name. */
export function signInPath(wanted: URL): string {
  const path = wanted.pathname + wanted.search;
  return `/auth/login?return_to=${encodeURIComponent(path.length <= MAX_RETURN_PATH ? path : "/")}`;
}
