import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { z } from "zod";
import { apiOf } from "../../cli/api-client.ts";

let server: Server | undefined;
afterEach(() => {
  server?.close();
  server?.closeAllConnections();
});

async function answering(listener: RequestListener): Promise<string> {
  server = createServer(listener).listen(0, "127.0.0.1");
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const schema = z.object({ name: z.string() });
const ask = async (url: string) => apiOf(url, { bearer: "token" }).json({ path: "/api/me" }, schema);

describe("what a server answers", () => {
  test("a problem becomes the error that it is, with its hint", async () => {
    const problem = { type: "x", title: "x", status: 403, detail: "not for you", code: "access-denied", hint: "ask" };
    const url = await answering((_, response) => response.writeHead(403).end(JSON.stringify(problem)));
    await expect(ask(url)).rejects.toMatchObject({ code: "access-denied", message: "not for you", hint: "ask" });
  });

  test("a code that we do not know is a fault, whatever it is called", async () => {
    for (const code of ["brand-new", "constructor", "__proto__", "toString"]) {
      const body = JSON.stringify({ detail: "d", code });
      const url = await answering((_, response) => response.writeHead(400).end(body));
      await expect(ask(url)).rejects.toMatchObject({ code: "internal", message: "d" });
      server?.close();
    }
  });

  test.each([
    ["a page", 200, "<html>Welcome</html>"],
    ["other JSON", 200, '{"name":7}'],
    ["nothing", 200, ""],
    ["an error page", 502, "<html>Bad gateway</html>"],
    ["JSON that is no problem", 404, "[]"],
  ])("%s is not taken for a Sallyport's answer", async (_what, status, body) => {
    const url = await answering((_, response) => response.writeHead(status).end(body));
    await expect(ask(url)).rejects.toMatchObject({ code: "server-unreachable" });
  });

  test("an answer without end is given up", async () => {
    const url = await answering((_, response) => {
      const piece = Buffer.alloc(1 << 20, " ");
      const more = (): void => void (response.writableEnded || response.write(piece, more));
      more();
    });
    await expect(ask(url)).rejects.toMatchObject({ code: "too-large" });
  });

  test("an answer that breaks off, or never starts, is told as such", async () => {
    const broken = await answering((_, response) => {
      response.writeHead(200, { "content-length": "100" }).write("{");
      setImmediate(() => response.destroy());
    });
    await expect(ask(broken)).rejects.toMatchObject({ code: "server-unreachable", message: expect.stringContaining("broke off") }); // prettier-ignore
    server?.close();
    const silent = await answering(() => {});
    const asked = apiOf(silent, undefined).text({ path: "/", timeoutMs: 50 });
    await expect(asked).rejects.toMatchObject({ message: expect.stringContaining("does not answer in time") });
  });

  test("a redirect is not followed: the token stays where it belongs", async () => {
    const seen: string[] = [];
    const url = await answering((request, response) => {
      seen.push(request.url ?? "");
      response.writeHead(307, { location: "/elsewhere" }).end();
    });
    await expect(ask(url)).rejects.toMatchObject({ code: "server-unreachable" });
    expect(seen).toEqual(["/api/me"]);
  });
});

test("who asks is told by one header: a token, or a browser's cookie with its origin", async () => {
  const url = await answering(({ headers }, response) => {
    const { authorization, cookie, origin } = headers;
    response.end(JSON.stringify({ name: JSON.stringify({ authorization, cookie, origin }) }));
  });
  const told = async (credential: Parameters<typeof apiOf>[1]) =>
    JSON.parse((await apiOf(url, credential).json({ path: "/" }, schema)).name);
  expect(await told(undefined)).toEqual({});
  expect(await told({ bearer: "abc" })).toEqual({ authorization: "Bearer abc" });
  expect(await told({ cookie: "sallyport=x" })).toEqual({ cookie: "sallyport=x", origin: url });
});
