import { once } from "node:events";
import net from "node:net";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Health, startHealth } from "../../gateway-task/health.ts";

let health: Health;
let isHealthy: boolean;

beforeEach(async () => {
  isHealthy = true;
  const listen = { host: "127.0.0.1", port: 0 };
  health = await startHealth({ listen, healthy: () => isHealthy, logger: pino({ level: "silent" }) });
});
afterEach(() => health.close());

const asked = (path: string, method = "GET") => fetch(`http://127.0.0.1:${health.port}${path}`, { method });

describe("the health of a task", () => {
  it("is 200 while it takes sessions and 503 when not", async () => {
    expect((await asked("/health")).status).toBe(200);
    isHealthy = false;
    expect((await asked("/health")).status).toBe(503);
  });

  it("tells strangers nothing: no body, no name of what answers, 404 for whatever else is asked", async () => {
    for (const [path, method] of [
      ["/", "GET"],
      ["/health/", "GET"],
      ["/health?verbose=1", "GET"],
      ["/metrics", "GET"],
      ["/health", "POST"],
    ] as const) {
      const answer = await asked(path, method);
      expect([path, method, answer.status, await answer.text()]).toEqual([path, method, 404, ""]);
      expect(answer.headers.get("server")).toBeNull();
    }
    expect(await (await asked("/health")).text()).toBe("");
  });

  it("still answers when others hold on to connections and say nothing", async () => {
    const mute = Array.from({ length: 40 }, () => net.connect(health.port, "127.0.0.1"));
    await Promise.all(mute.map((socket) => once(socket, "connect")));
    expect((await asked("/health")).status).toBe(200);
    for (const socket of mute) socket.destroy();
  });

  it.each(["nonsense\r\n\r\n", `GET /health HTTP/1.1\r\nhost: a\r\nx: ${"a".repeat(5_000)}\r\n\r\n`, "\0".repeat(100)])(
    "is not moved by bytes that are no request of ours",
    async (bytes) => {
      const socket = net.connect(health.port, "127.0.0.1");
      socket.on("error", () => {});
      socket.end(bytes);
      const heard: Buffer[] = [];
      socket.on("data", (chunk: Buffer) => heard.push(chunk));
      await once(socket, "close");
      expect(Buffer.concat(heard).toString()).not.toMatch(/^HTTP\/1.1 200/);
      expect((await asked("/health")).status).toBe(200);
    },
  );
});
