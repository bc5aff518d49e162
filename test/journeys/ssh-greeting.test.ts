import { once } from "node:events";
import net from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import ssh2 from "ssh2";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { UserCode } from "../../core/ports/sign-in-store.ts";
import { sendMessage } from "../../gateway-task/ssh/key-exchange.ts";
import { message } from "../../gateway-task/ssh/messages.ts";
import { type SshStage, sshStage } from "../setup/ssh-stage.ts";

const GREETING_MS = 500;
/** RFC 4252 §6. */
const USERAUTH_REQUEST = 50;
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

it("who asks for one link after the other is sent away: nobody stays at the door for ever", async () => {
  const { port = 0 } = stage.gateway.ssh ?? {};
  const client = new ssh2.Client();
  const state = { links: 0, isGone: false };
  const { signIns } = stage.gateway.state;
  const put = signIns.putDevice.bind(signIns);
  signIns.putDevice = async (request) => {
    await put(request);
    state.links++;
  };
  client.on("error", () => {}).on("close", () => (state.isGone = true));
  client.connect({
    host: "127.0.0.1",
    port,
    username: "web",
    tryKeyboard: true,
    authHandler: ["keyboard-interactive"],
  });
  await expect.poll(() => state.links).toBe(1);
  const { _protocol: protocol } = client as unknown as { _protocol: never };
  const again = message(USERAUTH_REQUEST, "web", "ssh-connection", "keyboard-interactive", "", "");
  for (let n = 0; n < 20 && !state.isGone; n++) {
    sendMessage(protocol, again);
    await delay(20);
  }
  await expect.poll(() => state.isGone).toBe(true);
  expect(state.links).toBe(6);
});
