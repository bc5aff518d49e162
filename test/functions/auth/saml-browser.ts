import type { Hono } from "hono";
import { expect } from "vitest";
import { type Asked, askedBy } from "./saml-idp.ts";

export const BASE = "https://sallyport.example";

/** A browser as far as SAML goes: our cookies are kept, and are not sent with the form that comes from another site. */
export interface SamlBrowser {
  /** Goes to the identity provider. */
  start(returnTo?: string): Promise<Asked>;
  /** Brings a response, as the identity provider's page makes it do, and follows where it leads on our site. */
  bring(xml: string, relayState?: string): Promise<Response>;
  post(path: string): Promise<Response>;
  me(): Promise<Record<string, unknown>>;
  readonly cookies: Map<string, string>;
}

export function samlBrowser(app: Hono, provider = "corp"): SamlBrowser {
  const cookies = new Map<string, string>();
  const go = async (path: string, init: RequestInit = {}, withhold = false): Promise<Response> => {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const headers = { ...(init.headers as Record<string, string>), ...(withhold ? {} : { cookie }) };
    const response = await app.request(BASE + path, { ...init, headers });
    for (const line of response.headers.getSetCookie()) {
      expect(line).toMatch(/; HttpOnly; Secure; SameSite=Lax$/);
      const [pair = ""] = line.split(";");
      const [name = "", value = ""] = pair.split("=");
      if (line.includes("Max-Age=0")) cookies.delete(name);
      else cookies.set(name, value);
    }
    return response;
  };
  const bring: SamlBrowser["bring"] = async (xml, relayState) => {
    const form = new URLSearchParams({ SAMLResponse: Buffer.from(xml).toString("base64") });
    if (relayState !== undefined) form.set("RelayState", relayState);
    const headers = { origin: "https://idp.example", "content-type": "application/x-www-form-urlencoded" };
    const init = { method: "POST", body: form.toString(), headers };
    const answer = await go(`/auth/saml/${provider}/acs`, init, true);
    const location = answer.headers.get("location");
    return location === null ? answer : go(location);
  };
  return {
    start: async (returnTo = "/sessions") => {
      const response = await go(`/auth/saml/${provider}/start?return_to=${encodeURIComponent(returnTo)}`);
      expect(response.status).toBe(303);
      return askedBy(new URL(response.headers.get("location") ?? ""));
    },
    bring,
    post: (path) => go(path, { method: "POST", headers: { origin: BASE } }),
    me: async () => (await (await go("/api/me")).json()) as Record<string, unknown>,
    cookies,
  };
}

export const SESSION = "__Host-sallyport";
