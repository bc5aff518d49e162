import { once } from "node:events";
import net from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import ssh2 from "ssh2";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { UserCode } from "../../core/ports/sign-in-store.ts";
import { type SshStage, sshStage } from "../setup/ssh-stage.ts";

const GREETING_MS = 500;
let stage: SshStage;
beforeAll(async () => void (stage = await sshStage({ greetingTimeoutMs: GREETING_MS })));
afterAll(() => stage?.close());

it("a person takes as long as a sign-in by browser does: only who says nothing is sent away soon", async () => {
  const { port = 0 } = stage.gateway.ssh ?? {};
  const silent = net
    .connect({ host: "127.0.0.1", port })
    .on("error", () => {})
    .resume();
  const silentIsGone = once(silent, "close");
  const client = new ssh2.Client();
  let isGone = false;
  client.on("error", () => {}).on("close", () => (isGone = true));
  const { signIns, people } = stage.gateway.state;
  const put = signIns.putDevice.bind(signIns);
  const asked = new Promise<UserCode>((done) => {
    signIns.putDevice = async (request) => {
      await put(request);
      done(request.userCode);
    };
  });
  client.connect({
    host: "127.0.0.1",
    port,
    username: "web",
    tryKeyboard: true,
    authHandler: ["keyboard-interactive"],
  });
  const code = await asked;
  await silentIsGone;
  await delay(GREETING_MS);
  expect(isGone).toBe(false);
  const [id, name, groups] = ["https://idp.example|alice" as never, "alice@shop.example", ["engineers"]];
  const now = Date.now();
  await people.signedIn({ id, name, email: name, groups, seenAt: now, freshUntil: now });
  const ready = once(client, "ready");
  await signIns.decideDevice(code, { kind: "approved", principal: { kind: "user", id, name, groups } }, now);
  await ready;
  client.end();
});
