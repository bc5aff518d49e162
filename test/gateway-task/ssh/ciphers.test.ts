import { expect, test } from "vitest";
import { run } from "../../setup/programs.ts";

/** Takes and drops ciphers from within timers, where garbage is also collected while no JavaScript runs. */
const TAKES_AND_DROPS = `
  const { randomBytes } = require("node:crypto");
  const { bindingAvailable } = require("ssh2/lib/protocol/crypto.js");
  const { AESGCMCipher, AESGCMDecipher } = bindingAvailable
    ? require("ssh2/lib/protocol/crypto/build/Release/sshcrypto.node")
    : { AESGCMCipher: Object, AESGCMDecipher: Object };
  const [key, iv] = [randomBytes(16), randomBytes(12)];
  const some = (count) => {
    for (let n = 0; n < count; n++) [new AESGCMCipher("aes-128-gcm", key, iv), new AESGCMDecipher("aes-128-gcm", key, iv)];
  };
  some(100_000);
  let turns = 0;
  const timer = setInterval(() => (turns++ < 100 ? some(1_000) : clearInterval(timer)), 1);
  process.once("exit", () => console.log(turns));
`;

test("the ciphers of connections that have ended are let go of whenever garbage is collected, and do not end the process", async () => {
  const { status, stdout, stderr } = await run(process.execPath, ["-e", TAKES_AND_DROPS]);
  expect([status, stdout.toString().trim(), stderr]).toEqual([0, "101", ""]);
});
