import type { APIGatewayProxyEventV2 } from "aws-lambda";
import { Hono } from "hono";
import { setCookie } from "hono/cookie";
import { pino } from "pino";
import { describe, expect, test } from "vitest";
import { SallyportError } from "../../../core/errors.ts";
import { apiHandler } from "../../../functions/shared/api-handler.ts";
import { problemHandler, problemNotFound } from "../../../functions/shared/problem.ts";
import { ORIGIN_SECRET_HEADER, onlyFromDistribution, viewerAddress } from "../../../functions/shared/viewer.ts";
import { apiEvent, type Asked, LAMBDA_CONTEXT, SOURCE_IP } from "../api-events.ts";

const SECRET = "0123456789abcdef0123456789abcdef";

function started({ secret }: { secret?: string } = {}) {
  const log: string[] = [];
  const logger = pino({ base: null }, { write: (line: string) => void log.push(line) });
  const app = new Hono();
  const address = viewerAddress(secret !== undefined);
  app.onError(problemHandler(logger));
  app.notFound(problemNotFound(app));
  if (secret !== undefined) app.use(onlyFromDistribution(secret));
  app.get("/address", (c) => c.text(address(c)));
  app.get("/text/:size", (c) => c.text("x".repeat(Number(c.req.param("size")))));
  app.get("/binary", (c) => c.body(new Uint8Array([0, 255, 128]), 200, { "Content-Type": "application/octet-stream" }));
  app.get("/cookies", (c) => {
    setCookie(c, "one", "1");
    setCookie(c, "two", "2");
    return c.json(c.req.header("cookie") ?? null);
  });
  app.all("/echo/:rest{.*}?", async (c) =>
    c.json({
      method: c.req.method,
      path: new URL(c.req.url).pathname,
      named: c.req.param("rest") ?? null,
      query: c.req.queries(),
      body: Buffer.from(await c.req.arrayBuffer()).toString("hex"),
    }),
  );
  const handler = apiHandler(logger, async () => app);
  const ask = async (asked: Asked) => handler(apiEvent(asked), LAMBDA_CONTEXT);
  const echo = async (asked: Asked): Promise<unknown> => JSON.parse((await ask(asked)).body ?? "");
  return { ask, echo, log, handler };
}

describe("an event of an HTTP API", () => {
  const { ask, echo } = started();

  test("gives the app its cookies, and its answer has every cookie that was set, each by itself", async () => {
    const { cookies, headers, body } = await ask({ path: "/cookies", cookies: ["a=1", "b=2; still"] });
    expect(JSON.parse(body ?? "")).toBe("a=1; b=2; still");
    expect(cookies).toEqual(["one=1; Path=/", "two=2; Path=/"]);
    expect(headers).not.toHaveProperty("set-cookie");
  });

  test("has its body as it was, in base64 or not", async () => {
    for (const [body, base64, hex] of [
      ["häß", false, "68c3a4c39f"],
      ["AP+A", true, "00ff80"],
      ["", false, ""],
    ] as const)
      expect(await echo({ method: "POST", path: "/echo/", body, base64 })).toMatchObject({ method: "POST", body: hex });
  });

  test("may have a body that its method cannot: it is not read", async () => {
    expect(await echo({ path: "/echo/", body: "x=1" })).toMatchObject({ method: "GET", body: "" });
  });

  test("keeps every value of a query's key, as it was encoded", async () => {
    expect(await echo({ path: "/echo/", query: "a=1&a=2&b=x%26y%3D%2B&c" })).toMatchObject({
      query: { a: ["1", "2"], b: ["x&y=+"], c: [""] },
    });
  });

  test.each([
    ["/echo/a b", "/echo/a%20b", "a b"],
    ["/echo/ü", "/echo/%C3%BC", "ü"],
    ["/echo/a?admin=true", "/echo/a%3Fadmin=true", "a?admin=true"],
    ["/echo/a#b", "/echo/a%23b", "a#b"],
    ["/echo/100%", "/echo/100%25", "100%"],
    ["/echo/a%2Fb", "/echo/a%2Fb", "a/b"],
    ["/echo/a\\b", "/echo/a%5Cb", "a\\b"],
    ["/echo/\u0000\ud800", "/echo/%00%EF%BF%BD", "\u0000\ufffd"],
    ["/echo//other.example/", "/echo//other.example/", null],
  ])("with the path %j is a request for %j, whose query stays its own", async (path, pathname, named) => {
    const told = await echo({ path, query: "q=1" });
    expect(told).toMatchObject({ path: pathname, query: { q: ["1"] }, ...(named === null ? {} : { named }) });
  });

  test.each(["", "//x", "@other.example/echo/", ":80/echo/", "http://other.example/echo/"])(
    "never leaves its host for the path %j",
    async (path) => {
      expect((await ask({ path })).statusCode).toBe(404);
    },
  );

  test("has its stage before its path, which is no part of it", async () => {
    expect(await echo({ path: "/prod/echo/x", stage: "prod" })).toMatchObject({ path: "/echo/x" });
    for (const [path, stage] of [
      ["/prod", "prod"],
      ["/production/echo/x", "prod"],
      ["/prod/echo/x", "$default"],
    ] as const)
      expect((await ask({ path, stage })).statusCode).toBe(404);
  });

  test("is answered in bytes by base64, and in text by text", async () => {
    expect(await ask({ path: "/binary" })).toMatchObject({ body: "AP+A", isBase64Encoded: true });
    expect(await ask({ path: "/text/3" })).toMatchObject({ body: "xxx", isBase64Encoded: false, statusCode: 200 });
  });

  test("is answered with a problem where the answer would be longer than Lambda takes", async () => {
    expect((await ask({ path: "/text/4194304" })).statusCode).toBe(200);
    const { statusCode, headers, body } = await ask({ path: "/text/4194305" });
    expect([statusCode, headers?.["content-type"]]).toEqual([413, "application/problem+json"]);
    expect(JSON.parse(body ?? "")).toMatchObject({ code: "too-large", status: 413 });
  });

  test("has security headers on every answer", async () => {
    for (const path of ["/address", "/nowhere", "/text/4194305"])
      expect((await ask({ path })).headers).toMatchObject({
        "x-content-type-options": "nosniff",
        "strict-transport-security": expect.any(String),
        "content-security-policy": expect.stringContaining("default-src 'none'"),
      });
  });
});

const FORGED = {
  "x-forwarded-for": "203.0.113.1",
  "x-real-ip": "203.0.113.1",
  "true-client-ip": "203.0.113.1",
  forwarded: "for=203.0.113.1",
  "cloudfront-viewer-address": "203.0.113.1:4711",
  "x-viewer-address": "203.0.113.1",
};

describe("the address that a request came from", () => {
  test("is what the gateway's API saw, whatever headers say", async () => {
    const { ask } = started();
    expect((await ask({ path: "/address", headers: FORGED })).body).toBe(SOURCE_IP);
    expect((await ask({ path: "/address", sourceIp: "2001:db8::7" })).body).toBe("2001:db8::7");
  });

  test("is the viewer's behind our distribution, as the distribution tells it", async () => {
    const { ask } = started({ secret: SECRET });
    for (const [said, address] of [
      ["198.51.100.7:46532", "198.51.100.7"],
      ["2001:db8::7:46532", "2001:db8::7"],
      ["nonsense", SOURCE_IP],
      ["198.51.100.7:46532, 203.0.113.1:1", SOURCE_IP],
    ] as const) {
      const headers = { ...FORGED, [ORIGIN_SECRET_HEADER]: SECRET, "cloudfront-viewer-address": said };
      expect((await ask({ path: "/address", headers })).body).toBe(address);
    }
    expect((await ask({ path: "/address", headers: { [ORIGIN_SECRET_HEADER]: SECRET } })).body).toBe(SOURCE_IP);
  });

  test("is nobody's where a request went past our distribution: it is refused", async () => {
    const { ask } = started({ secret: SECRET });
    for (const shown of [undefined, "", "x", `${SECRET}x`, SECRET.slice(1), SECRET.toUpperCase()]) {
      const headers = { ...FORGED, ...(shown === undefined ? {} : { [ORIGIN_SECRET_HEADER]: shown }) };
      const { statusCode, body } = await ask({ path: "/address", headers });
      expect([statusCode, JSON.parse(body ?? "")]).toMatchObject([403, { code: "access-denied" }]);
      expect(body).not.toContain(SECRET);
    }
  });
});

describe("a function that cannot start", () => {
  test("answers with a problem, tells the log why, and tries again at the next request", async () => {
    const log: string[] = [];
    const logger = pino({ base: null }, { write: (line: string) => void log.push(line) });
    let tries = 0;
    const handler = apiHandler(logger, async () => {
      if (++tries <= 2)
        throw new SallyportError("configuration-invalid", "the secret arn:x is empty", { cause: new Error("deeper") });
      return new Hono().get("/", (c) => c.text("started"));
    });
    const ask = (event: APIGatewayProxyEventV2) => handler(event, LAMBDA_CONTEXT);
    for (const _ of [1, 2]) {
      const { statusCode, headers, body } = await ask(apiEvent({ path: "/" }));
      expect([statusCode, headers?.["content-type"]]).toEqual([503, "application/problem+json"]);
      expect(Number(headers?.["retry-after"])).toBeGreaterThan(0);
      expect(JSON.parse(body ?? "")).toMatchObject({ status: 503, code: "store-unavailable" });
      expect(body).not.toContain("arn:x");
    }
    expect(log.join("")).toContain("deeper");
    expect((await ask(apiEvent({ path: "/" }))).body).toBe("started");
    await ask(apiEvent({ path: "/" }));
    expect(tries).toBe(3);
  });
});
