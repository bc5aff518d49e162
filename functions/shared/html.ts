import type { Context, MiddlewareHandler } from "hono";
import { html } from "hono/html";
import type { Instant } from "../../core/brand.ts";
import type { Principal } from "../../core/identity/principal.ts";
import { STYLESHEET } from "./stylesheet.ts";

/** Escaped HTML, as `html` of `hono/html` makes it: what is interpolated is escaped, unless it is such a value itself. */
export type Markup = ReturnType<typeof html>;

const STYLESHEET_PATH = "/assets/sallyport.css";

/** No script at all, nothing from elsewhere, in no frame. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "style-src 'self'",
  "img-src 'self'",
  "form-action 'self'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
].join("; ");

const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  "Content-Security-Policy": CONTENT_SECURITY_POLICY,
  "X-Content-Type-Options": "nosniff",
  "X-Frame-Options": "DENY",
  // Not no-referrer, which would make browsers send `Origin: null` with our own forms (Fetch §3.2).
  "Referrer-Policy": "same-origin",
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Cache-Control": "no-store",
};

/** Two years, as preload lists ask (RFC 6797 §6.1). Browsers ignore it over http. */
const STRICT_TRANSPORT_SECURITY = "max-age=63072000";

/** Sets the security headers on every answer; a handler's own `Cache-Control` stays. */
export function securityHeaders(): MiddlewareHandler {
  return async (c, next) => {
    await next();
    for (const [name, value] of Object.entries(SECURITY_HEADERS))
      if (!c.res.headers.has(name)) c.res.headers.set(name, value);
    c.res.headers.set("Strict-Transport-Security", STRICT_TRANSPORT_SECURITY);
  };
}

/** The one stylesheet, for `app.get("/assets/sallyport.css", stylesheet)`. */
export function stylesheet(c: Context): Response {
  return c.body(STYLESHEET, 200, { "Content-Type": "text/css; charset=utf-8", "Cache-Control": "public, max-age=300" });
}

/** Is it a browser that wants to show what we answer? Paths under /api are for programs, whoever asks. */
export function wantsPage(c: Context): boolean {
  return !c.req.path.startsWith("/api/") && (c.req.header("accept") ?? "").includes("text/html");
}

/** Such as `2026-11-22 10:15 UTC`. */
export function moment(at: Instant): Markup {
  const iso = new Date(at).toISOString();
  return html`<time datetime="${iso}">${iso.slice(0, 16).replace("T", " ")} UTC</time>`;
}

export interface Page {
  readonly title: string;
  /** Who is signed in; undefined where nobody is: then there is no navigation. */
  readonly principal: Principal | undefined;
  readonly body: Markup;
}

/** A whole page, for `c.html(page(…))`. Works without JavaScript. */
export function page({ title, principal, body }: Page): Markup {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${title} · Sallyport</title>
        <link rel="stylesheet" href="${STYLESHEET_PATH}" />
      </head>
      <body>
        <header>
          <a class="brand" href="/">Sallyport</a>
          ${principal ? navigation(principal) : ""}
        </header>
        <main>
          <h1>${title}</h1>
          ${body}
        </main>
      </body>
    </html>`;
}

function navigation(principal: Principal): Markup {
  return html`<nav><a href="/">Home</a><a href="/sessions">Sessions</a><a href="/approvals">Approvals</a></nav>
    <form class="who" method="post" action="/auth/logout">
      <span>${principal.name}</span>
      <button class="quiet" type="submit">Sign out</button>
    </form>`;
}
