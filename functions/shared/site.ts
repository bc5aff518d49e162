import type { CookieOptions } from "hono/utils/cookie";
import { SallyportError } from "../../core/errors.ts";

/** Where this installation is reached by browsers, and what follows from it. */
export interface Site {
  /** Scheme, host and port; no path. */
  readonly origin: string;
  /** False only for http on loopback. */
  readonly secure: boolean;
}

/** The hosts that a browser treats as trustworthy without TLS (W3C Secure Contexts §3.1). */
const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;

export function isLoopback(url: URL): boolean {
  return LOOPBACK.test(url.hostname);
}

/**
 * @param baseUrl such as `https://sallyport.example` or `http://127.0.0.1:8080`; http is for loopback only
 * Throws `configuration-invalid`.
 */
export function siteOf(baseUrl: string): Site {
  const url = URL.parse(baseUrl);
  const plain = url?.protocol === "http:" && isLoopback(url);
  if (!url || !(plain || url.protocol === "https:") || url.pathname !== "/" || url.search || url.hash || url.username)
    throw new SallyportError("configuration-invalid", "the base URL must be https://host, or http:// on loopback");
  return { origin: url.origin, secure: !plain };
}

/** `__Host-` (RFC 6265bis §4.1.3.2) binds a cookie to this very host and to TLS; browsers refuse it over http. */
export function cookieName(site: Site, name: string): string {
  return site.secure ? `__Host-${name}` : name;
}

/** Lax: sent with the top-level redirect that comes back from the identity provider, and with no cross-site form. */
export function cookieOptions(site: Site, maxAgeMs: number): CookieOptions {
  return { path: "/", httpOnly: true, secure: site.secure, sameSite: "Lax", maxAge: Math.floor(maxAgeMs / 1000) };
}
