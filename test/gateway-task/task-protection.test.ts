import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { protectWhileLive } from "../../gateway-task/task-protection.ts";

interface Asked {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly body: unknown;
}

/** An agent as ECS documents it; `answer` may be replaced. */
let agent: Server;
let asked: Asked[];
let answer: (wanted: boolean) => { status: number; body: string };
let live: number;
let now: number;
let logs: string[];
let protection: { close(): Promise<void> };

const agreed = (ProtectionEnabled: boolean) => ({
  status: 200,
  body: JSON.stringify({ protection: { ExpirationDate: "2026-12-01T00:00:00Z", ProtectionEnabled, TaskArn: "arn" } }),
});
const HOUR_MS = 3_600_000;

beforeEach(async () => {
  asked = [];
  logs = [];
  live = 0;
  now = 0;
  answer = agreed;
  agent = createServer((request, response) => {
    request.once("data", (bytes: Buffer) => {
      const body = JSON.parse(bytes.toString()) as { ProtectionEnabled: boolean };
      asked.push({ method: request.method, url: request.url, body });
      const { status, body: text } = answer(body.ProtectionEnabled);
      response.writeHead(status, { "content-type": "application/json" }).end(text);
    });
  });
  await new Promise<void>((done) => void agent.listen(0, "127.0.0.1", done));
  protection = protectWhileLive({
    agent: `http://127.0.0.1:${(agent.address() as AddressInfo).port}/api/abc`,
    liveSessions: () => live,
    longestMs: 12 * HOUR_MS,
    logger: pino({ level: "debug" }, { write: (line: string) => void logs.push(line) }),
    checkMs: 5,
    monotonic: () => now,
  });
});
afterEach(async () => {
  await protection.close();
  agent.closeAllConnections();
  await new Promise((done) => agent.close(done));
});

const wants = () => asked.map(({ body }) => (body as { ProtectionEnabled: boolean }).ProtectionEnabled);

describe("the protection of a task from being stopped", () => {
  it("is asked of the agent, for a quarter of an hour, when the first session lives", async () => {
    live = 1;
    await expect
      .poll(() => asked)
      .toEqual([
        {
          method: "PUT",
          url: "/api/abc/task-protection/v1/state",
          body: { ProtectionEnabled: true, ExpiresInMinutes: 15 },
        },
      ]);
  });

  it("is renewed while sessions live, and given up when none does", async () => {
    live = 3;
    await expect.poll(wants).toEqual([true]);
    now += 5 * 60_000;
    await expect.poll(wants).toEqual([true, true]);
    live = 0;
    await expect.poll(wants).toEqual([true, true, false]);
  });

  it.each([
    ["an agent that fails", { status: 500, body: "oops" }],
    [
      "a failure that the agent reports with 200",
      { status: 200, body: `{"failure":{"Arn":"a","Reason":"DEPLOYMENT_BLOCKED"}}` },
    ],
    ["a refusal", { status: 400, body: `{"error":{"Arn":"a","Code":"AccessDeniedException","Message":"no"}}` }],
    ["an answer that is too long", { status: 200, body: " ".repeat(100_000) }],
    ["an answer that says the opposite", agreed(false)],
  ])("is asked for again, and the log says why, after %s", async (_what, bad) => {
    answer = () => bad;
    live = 1;
    await expect.poll(() => asked.length).toBeGreaterThan(2);
    expect(logs.join("")).toContain("could not be set");
    answer = agreed;
    await expect.poll(() => logs.join("")).toContain("has changed");
  });

  it("is left to run out on a task that is never idle, so that a deploy comes to its end", async () => {
    live = 1;
    await expect.poll(wants).toEqual([true]);
    now += 13 * HOUR_MS;
    await expect.poll(wants).toEqual([true, false]);
  });

  it("is given up at the end", async () => {
    live = 1;
    await expect.poll(wants).toEqual([true]);
    await protection.close();
    expect(wants()).toEqual([true, false]);
  });
});
