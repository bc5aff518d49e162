import { SallyportError } from "../core/errors.ts";

/** A page that was loaded: after all redirects. */
interface LoadedPage {
  readonly url: URL;
  readonly status: number;
  readonly text: string;
}

/** As much of a browser as signing in takes: it keeps cookies, follows redirects and sends forms. */
export interface Browserless {
  open(url: string): Promise<LoadedPage>;
  /**
   * Fills in and sends the page's first form that has all the fields, with its hidden ones.
   * Throws `sign-in-failed` where the page has no such form.
   */
  submit(page: LoadedPage, fields: Readonly<Record<string, string>>): Promise<LoadedPage>;
  /** The `Cookie` header that a request to this URL carries; empty where there are none. */
  cookie(url: string): string;
}

/** More than any provider needs; a loop of redirects ends here. */
const MAX_REDIRECTS = 20;
/** A page with a form of a few fields. */
const MAX_PAGE_BYTES = 1 << 20;
const TIMEOUT_MS = 10_000;

interface Cookie {
  readonly name: string;
  readonly value: string;
  readonly path: string;
}

/**
 * Signs in at a Sallyport through its identity provider's own log-in form, by code and PKCE, over HTTP.
 * @param baseUrl the Sallyport
 * @returns the `Cookie` header of the session. Throws `sign-in-failed`.
 */
export async function signInOverHttp(
  baseUrl: string,
  { user, password }: { readonly user: string; readonly password: string },
): Promise<{ cookie: string }> {
  const browser = browserless();
  const form = await browser.open(new URL("/auth/login", baseUrl).href);
  const home = await browser.submit(form, { user, password });
  if (home.url.origin !== new URL(baseUrl).origin || home.status !== 200)
    throw new SallyportError("sign-in-failed", `signing in as ${user} ended with status ${home.status}`);
  return { cookie: browser.cookie(baseUrl) };
}

export function browserless(): Browserless {
  const jar = new Map<string, Cookie[]>();
  const cookie = (url: string): string => cookieHeader(jar, new URL(url));
  const load = async (url: URL, init: RequestInit, from = url): Promise<LoadedPage> => {
    let request = { url, init };
    for (let hops = 0; hops <= MAX_REDIRECTS; hops++) {
      const response = await send(jar, request.url, request.init, hops === 0 ? from : request.url);
      const location = response.headers.get("location");
      if (response.status < 300 || response.status >= 400 || location === null)
        return { url: request.url, status: response.status, text: await textOf(response) };
      request = { url: new URL(location, request.url), init: { method: "GET" } };
    }
    throw new SallyportError("sign-in-failed", "the sign-in is redirected in a circle");
  };
  return {
    cookie,
    open: (url) => load(new URL(url), { method: "GET" }),
    submit: (page, fields) => {
      const form = formsOf(page.text).find(({ names }) => Object.keys(fields).every((name) => names.has(name)));
      if (form === undefined)
        throw new SallyportError("sign-in-failed", `the page at ${page.url.origin} has no such form (${page.status})`);
      const url = new URL(form.action, page.url);
      const body = new URLSearchParams({ ...form.hidden, ...fields });
      if (form.method === "get") return load(new URL(`?${body.toString()}`, url), { method: "GET" });
      return load(url, { method: "POST", body, headers: { origin: page.url.origin } }, page.url);
    },
  };
}

async function send(jar: Map<string, Cookie[]>, url: URL, init: RequestInit, from: URL): Promise<Response> {
  const headers = new Headers(init.headers);
  headers.set("accept", "text/html,*/*;q=0.5");
  // SameSite=Lax, as all cookies are taken to be: with another site's form none is sent (RFC 6265bis §5.6.7).
  const cookie = url.hostname === from.hostname ? cookieHeader(jar, url) : "";
  if (cookie !== "") headers.set("cookie", cookie);
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const response = await fetch(url, { ...init, headers, redirect: "manual", signal });
  const kept = response.headers.getSetCookie().reduce(withCookie, jar.get(url.origin) ?? []);
  jar.set(url.origin, kept);
  return response;
}

async function textOf(response: Response): Promise<string> {
  const text = await response.text();
  if (text.length > MAX_PAGE_BYTES) throw new SallyportError("too-large", "the page is too long for a sign-in");
  return text;
}

/** RFC 6265 §5.4, as far as cookies of one origin go. */
function cookieHeader(jar: Map<string, Cookie[]>, url: URL): string {
  const matching = (jar.get(url.origin) ?? []).filter(({ path }) => matches(url.pathname, path));
  return matching.map(({ name, value }) => `${name}=${value}`).join("; ");
}

/** RFC 6265 §5.1.4. */
function matches(pathname: string, path: string): boolean {
  return pathname === path || pathname.startsWith(path.endsWith("/") ? path : `${path}/`);
}

function withCookie(cookies: Cookie[], line: string): Cookie[] {
  const [pair = "", ...attributes] = line.split(";").map((part) => part.trim());
  const [name, value] = halves(pair);
  const set = new Map(attributes.map(halves).map(([key, text]) => [key.toLowerCase(), text]));
  const path = set.get("path") ?? "/";
  const others = cookies.filter((cookie) => cookie.name !== name || cookie.path !== path);
  const gone = Number(set.get("max-age") ?? 1) <= 0 || Date.parse(set.get("expires") ?? "9999-01-01") <= Date.now();
  return gone ? others : [...others, { name, value, path }];
}

function halves(text: string): [string, string] {
  const at = text.indexOf("=");
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
}

interface Form {
  readonly action: string;
  readonly method: string;
  readonly names: ReadonlySet<string>;
  readonly hidden: Readonly<Record<string, string>>;
}

const FORM = /<form\b([^>]*)>([\s\S]*?)<\/form>/gi;
const CONTROL = /<(?:input|button|select|textarea)\b([^>]*)>/gi;

function formsOf(html: string): Form[] {
  return [...html.matchAll(FORM)].map(([, tag = "", inside = ""]) => {
    const controls = [...inside.matchAll(CONTROL)].map(([, control = ""]) => ({
      name: attribute(control, "name"),
      value: attribute(control, "value"),
      type: attribute(control, "type"),
    }));
    const hidden = controls.filter(({ type }) => type === "hidden").map(({ name, value }) => [name, value] as const);
    return {
      action: attribute(tag, "action"),
      method: attribute(tag, "method").toLowerCase() || "get",
      names: new Set(controls.map(({ name }) => name)),
      hidden: Object.fromEntries(hidden),
    };
  });
}

function attribute(tag: string, name: string): string {
  const value = new RegExp(`\\b${name}="([^"]*)"`, "i").exec(tag)?.[1] ?? "";
  return value.replace(/&(amp|lt|gt|quot|#39);/g, (entity) => ENTITIES[entity] ?? entity);
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&amp;": "&",
  "&lt;": "<",
  "&gt;": ">",
  "&quot;": '"',
  "&#39;": "'",
};
