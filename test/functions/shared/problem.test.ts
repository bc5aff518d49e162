import { randomBytes } from "node:crypto";
import { Hono } from "hono";
import { HTTPException } from "hono/http-exception";
import { pino } from "pino";
import { describe, expect, test } from "vitest";
import { ERRORS, type ErrorCode, SallyportError } from "../../../core/errors.ts";
import { mintPass } from "../../../core/identity/pass.ts";
import { securityHeaders } from "../../../functions/shared/html.ts";
import { problemHandler, problemNotFound } from "../../../functions/shared/problem.ts";

function appThatThrows(thrown: unknown): { app: Hono; log: string[] } {
  const log: string[] = [];
  const app = new Hono();
  app.use(securityHeaders());
  app.onError(problemHandler(pino({ base: null }, { write: (line: string) => void log.push(line) })));
  app.notFound(problemNotFound(app));
  app.get("/fail", () => {
    throw thrown;
  });
  return { app, log };
}

describe("an error of ours", () => {
  test.each(Object.keys(ERRORS) as ErrorCode[])("is a problem with its status and code: %s", async (code) => {
    const { app } = appThatThrows(new SallyportError(code, "what happened", { hint: "what to do" }));
    const response = await app.request("/fail");
    expect(response.status).toBe(ERRORS[code].http);
    expect(response.headers.get("content-type")).toBe("application/problem+json");
    expect(await response.json()).toEqual({
      type: `urn:sallyport:error:${code}`,
      title: expect.any(String),
      status: ERRORS[code].http,
      detail: "what happened",
      code,
      hint: "what to do",
    });
  });

  test("is a page for a browser, with its words escaped", async () => {
    const { app } = appThatThrows(new SallyportError("not-found", "<b>x</b>", { hint: `"'&` }));
    const response = await app.request("/fail", { headers: { accept: "text/html" } });
    expect(response.status).toBe(404);
    const text = await response.text();
    expect(text).toContain("&lt;b&gt;x&lt;/b&gt;");
    expect(text).toContain("&quot;&#39;&amp;");
  });

  test("carries the security headers like every other answer", async () => {
    const { app } = appThatThrows(new Error("x"));
    for (const path of ["/fail", "/nowhere"]) {
      const { headers } = await app.request(path);
      expect(headers.get("content-security-policy")).toMatch(/default-src 'none'.*frame-ancestors 'none'/);
      expect(headers.get("content-security-policy")).not.toContain("script-src");
      expect(headers.get("content-security-policy")).not.toContain("unsafe");
      expect(headers.get("x-content-type-options")).toBe("nosniff");
      expect(headers.get("cache-control")).toBe("no-store");
      expect(headers.get("referrer-policy")).toBe("same-origin");
    }
  });
});

describe("a fault of ours", () => {
  const pass = mintPass(randomBytes).text;

  test("tells the client nothing, and the log everything but passes", async () => {
    const { app, log } = appThatThrows(new Error(`connect to 10.1.2.3 with ${pass}`, { cause: new Error("deeper") }));
    for (const accept of ["application/json", "text/html"]) {
      const response = await app.request("/fail", { headers: { accept } });
      expect(response.status).toBe(500);
      const text = await response.text();
      for (const detail of ["10.1.2.3", pass, "problem.test.ts", "deeper"]) expect(text).not.toContain(detail);
    }
    expect(log.join("")).toContain("10.1.2.3");
    expect(log.join("")).toContain("deeper");
    expect(log.join("")).not.toContain(pass);
  });

  test("is logged also when the causes form a circle", async () => {
    const circle = new Error("round");
    circle.cause = circle;
    const { app, log } = appThatThrows(circle);
    expect((await app.request("/fail")).status).toBe(500);
    expect(log).toHaveLength(1);
  });

  test("is not what a client's mistake is", async () => {
    const { app, log } = appThatThrows(new HTTPException(418, { message: "secret detail" }));
    const response = await app.request("/fail");
    expect(response.status).toBe(400);
    expect(await response.text()).not.toContain("secret detail");
    expect(log).toEqual([]);
  });
});

describe("what is not there", () => {
  const app = new Hono();
  app.use(securityHeaders());
  app.notFound(problemNotFound(app));
  app.get("/things/:id", (c) => c.text("a thing"));
  app.delete("/things/:id", (c) => c.text("gone"));

  test("is not found, where no method is for the path", async () => {
    for (const path of ["/thing", "/things", "/things/", "/things/1/2", "//", "/%00"]) {
      const response = await app.request(path);
      expect([response.status, await response.json()]).toMatchObject([404, { status: 404, code: "not-found" }]);
      expect(response.headers.get("content-type")).toBe("application/problem+json");
      expect(response.headers.has("allow")).toBe(false);
    }
  });

  test("is a method that is not allowed, where others are, and the answer names those", async () => {
    for (const method of ["POST", "PUT", "PATCH", "OPTIONS", "PROPFIND"]) {
      const response = await app.request("/things/1", { method });
      expect([response.status, await response.json()]).toMatchObject([405, { code: "method-not-allowed" }]);
      expect(response.headers.get("allow")).toBe("DELETE, GET, HEAD");
    }
    expect((await app.request("/things/1", { method: "HEAD" })).status).toBe(200);
  });
});
