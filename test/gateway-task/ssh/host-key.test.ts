import ssh2 from "ssh2";
import { expect, test } from "vitest";
import { newHostKey } from "../../../gateway-task/ssh/host-key.ts";

test("a new host key can be read, every time", () => {
  for (let more = 600; more > 0; more--) {
    const { privateKey, publicKey } = newHostKey();
    const parsed = ssh2.utils.parseKey(privateKey);
    if (parsed instanceof Error) throw parsed;
    expect(parsed.type).toBe("ssh-ed25519");
    expect(publicKey.split(" ")[1]).toBe(parsed.getPublicSSH().toString("base64"));
  }
});
