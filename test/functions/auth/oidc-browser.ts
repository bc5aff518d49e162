import type { Hono } from "hono";
import type { FakeProvider } from "./fake-provider.ts";

/** A browser as far as OIDC at a lying provider goes: it follows wherever it is led, and keeps the session. */
export interface OidcBrowser {
  /** Signs in, and follows from there. */
  signIn(path?: string): Promise<Response>;
  get(path: string): Promise<Response>;
  post(path: string, fields: Record<string, string>): Promise<Response>;
  /** The header of its session. */
  session(): Record<string, string>;
}

export function oidcBrowser(app: Hono, base: string, provider: FakeProvider): OidcBrowser {
  const cookies = new Map<string, string>();
  const header = (): string => [...cookies].map(([name, value]) => `${name}=${value}`).join("; ");
  const go = async (url: string, init: RequestInit = {}): Promise<Response> => {
    const headers = { accept: "text/html", origin: base, cookie: header() };
    const response = await app.request(url, { ...init, headers });
    for (const line of response.headers.getSetCookie()) {
      const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      if (line.includes("Max-Age=0")) cookies.delete(name);
      else cookies.set(name, value);
    }
    const onward = response.headers.get("location") ?? response.headers.get("refresh")?.replace("0; url=", "");
    return onward === undefined ? response : go(throughProvider(new URL(onward, base), provider));
  };
  const session = (): Record<string, string> => ({ cookie: `__Host-sallyport=${cookies.get("__Host-sallyport")}` });
  return {
    signIn: (path = "/") => go(`${base}/auth/login?return_to=${encodeURIComponent(path)}`),
    get: (path) => go(base + path),
    post: (path, fields) => go(base + path, { method: "POST", body: new URLSearchParams(fields) }),
    session,
  };
}

/** What the provider answers, who knows the person already. */
function throughProvider(asked: URL, provider: FakeProvider): string {
  if (asked.origin !== provider.issuer) return asked.href;
  const { searchParams: ask } = asked;
  provider.nonce = ask.get("nonce");
  const back = new URL(ask.get("redirect_uri") ?? "");
  back.search = new URLSearchParams({ code: "c", state: ask.get("state") ?? "", iss: provider.issuer }).toString();
  return back.href;
}
