import { once } from "node:events";
import type net from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import ssh2, { type ClientChannel } from "ssh2";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { CloseReason } from "../../core/ports/session-store.ts";
import { sendMessage } from "../../gateway-task/ssh/key-exchange.ts";
import { MESSAGE, message } from "../../gateway-task/ssh/messages.ts";
import { type SshStage, sshStage } from "../setup/ssh-stage.ts";
import { approver, type Approver } from "../setup/approver.ts";
import { policiesOf } from "../setup/policies.ts";

const POLICIES = `
  @id("ask") @reason("moving takes a second person") @approvers("dba")
  forbid (principal, action == Action::"ssh:exec", resource)
  when { context.programs.contains("mv") } unless { context.approvals >= 1 };
`;

let open: SshStage;
let guarded: SshStage;
let bob: Approver;
beforeAll(async () => {
  const policies = policiesOf(POLICIES);
  [open, guarded] = [await sshStage({ policies: () => policies }), await sshStage({ shell: "guarded" })];
  bob = approver(open.gateway.state.approvalStore);
});
afterAll(async () => {
  await open?.close();
  await guarded?.close();
});

/** A client that says what it likes, whatever it was given. */
async function hostile(stage: SshStage) {
  const client = new ssh2.Client();
  client.on("error", () => {});
  const { port = 0 } = stage.gateway.ssh ?? {};
  const password = await stage.gateway.pass();
  client.connect({ host: "127.0.0.1", port, username: "web", password, keepaliveInterval: 0 });
  await once(client, "ready");
  const { _sock: socket, _protocol: protocol } = client as unknown as { _sock: net.Socket; _protocol: never };
  const state = { isOver: false };
  client.on("close", () => (state.isOver = true));
  return {
    client,
    socket,
    /** Says it so often, unless it is sent away or not read any more. */
    says: async (payload: Buffer, times: number): Promise<void> => {
      for (let n = 0; n < times && !state.isOver; n++) {
        sendMessage(protocol, payload);
        if (n % 500 !== 499) continue;
        const goesOn = socket.writableNeedDrain ? once(socket, "drain").then(() => true) : delay(0, true);
        if (!(await Promise.race([goesOn, delay(1_000, false)]))) return;
      }
    },
    over: async (): Promise<CloseReason> => {
      await expect.poll(() => state.isOver, { timeout: 20_000 }).toBe(true);
      return (await stage.gateway.lastClosed()).row.closing?.reason ?? "refused";
    },
  };
}

describe("a client of SSH that is not content with what it is given", () => {
  it.each([
    ["opens channels that nobody has", message(MESSAGE.channelOpen, "x", 1, 0, 0)],
    ["asks what nobody answers", message(MESSAGE.globalRequest, "x", true)],
  ])("and %s without reading the answers is not heard until it does", async (_how, payload) => {
    const { client, socket, says } = await hostile(open);
    socket.pause();
    const before = socket.bytesWritten;
    await says(payload, 600_000);
    // The kernel's buffers, the answers' 4 MiB, and what was read with them.
    expect((socket.bytesWritten - before) / 2 ** 20).toBeLessThan(24);
    expect(open.gateway.gateway.liveSessions).toBeGreaterThan(0);
    client.destroy();
  });

  it("and sends the smallest messages behind what is held is sent away: they are few before they are many", async () => {
    const { client, says, over } = await hostile(open);
    client.exec("mv a b", () => {});
    await bob.asked();
    // The first channel of either side is 0.
    await says(message(MESSAGE.channelWindowAdjust, 0, 1), 100_000);
    expect(await over()).toBe("limit-exceeded");
  });

  it("and types without end into what does not read is sent away", async () => {
    const { client, says, over } = await hostile(guarded);
    const shell = await new Promise<ClientChannel>((done, failed) => {
      client.shell({ term: "xterm" }, (error, opened) => (error ? failed(error) : done(opened)));
    });
    let shown = "";
    shell.on("data", (bytes: Buffer) => (shown += bytes.toString()));
    await expect.poll(() => shown, { timeout: 20_000 }).toContain("$ ");
    shell.write("sleep 100\r");
    await expect.poll(() => shown).toContain("sleep 100");
    await delay(500);
    const { outgoing } = shell as unknown as { outgoing: { id: number } };
    await says(message(MESSAGE.channelData, outgoing.id, Buffer.alloc(32_000, 0x61)), 1_000);
    expect(await over()).toBe("limit-exceeded");
  });
});
