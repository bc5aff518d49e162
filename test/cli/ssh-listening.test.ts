import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { sshListening } from "../../cli/ssh-listening.ts";
import { parseConnections } from "../../core/config/connections.ts";
import { newHostKey } from "../../gateway-task/ssh/host-key.ts";

const URL_OF_PAGES = "https://sallyport.example";
const target = { host: "h", hostKeys: [newHostKey().publicKey] };
const WITH_SSH = parseConnections({
  connections: { web: { protocol: "ssh", target, credentials: { user: "u", key: { secret: "k" } }, access: [] } },
});
const listen = { host: "127.0.0.1", port: 6432 };
let state: string;
beforeAll(async () => void (state = await mkdtemp(join(tmpdir(), "sallyport-test-listening-"))));
afterAll(async () => rm(state, { recursive: true, force: true }));

test("there is no listener, and no key is made, where nobody asked for one and no connection is of SSH", async () => {
  expect(await sshListening({ state, listen }, new Map(), URL_OF_PAGES)).toBeUndefined();
  expect(await readdir(state)).toEqual([]);
});

test("where a connection is of SSH, the listener is at port 2222 beside the one for PostgreSQL", async () => {
  const elsewhere = { ...listen, host: "192.0.2.1" };
  for (const one of [listen, elsewhere])
    expect((await sshListening({ state, listen: one }, WITH_SSH, URL_OF_PAGES))?.listen).toEqual({
      ...one,
      port: 2222,
    });
});

test("a listener that is asked for is where it is asked for, and links to the page that takes the code", async () => {
  const sshListen = { host: "127.0.0.2", port: 22 };
  const ssh = await sshListening({ state, listen, sshListen }, new Map(), URL_OF_PAGES);
  expect(ssh?.listen).toEqual(sshListen);
  expect(ssh?.deviceLink("BCDF-GHJK")).toBe(`${URL_OF_PAGES}/auth/device?user_code=BCDF-GHJK`);
});
