import { homedir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { SallyportError } from "../../core/errors.ts";
import { parseSshFingerprint, sshKeyId } from "../../core/identity/ssh-key.ts";
import { sshKeysView, sshKeyView } from "../api-views.ts";
import { asks } from "../context.ts";
import { moment } from "../output.ts";
import { readPublic } from "../private-files.ts";

/** In the order in which ssh itself would offer them. */
const DEFAULT_FILES = ["id_ed25519.pub", "id_ecdsa.pub", "id_rsa.pub"];

/** Public keys by which ssh signs a person in, without a link or a pass. */
export function sshKeyCommand(): Command {
  return new Command("ssh-key")
    .description("register, list or remove public keys: ssh then needs no link and no pass")
    .addCommand(listCommand(), { isDefault: true })
    .addCommand(addCommand())
    .addCommand(removeCommand());
}

function addCommand(): Command {
  const command = new Command("add")
    .description("register a public key; it is good for some hours after each time that you sign in by a browser")
    .argument("[file]", `the public key (default: ~/.ssh/${DEFAULT_FILES[0]}, or another that is there)`)
    .option("--label <text>", "how you will know it again (default: its comment)");
  return asks(command, async ({ out, api }, self) => {
    const publicKey = await publicKeyIn(self.args[0]);
    const { label } = self.opts<{ label?: string }>();
    const body = { publicKey, ...(label !== undefined && { label }) };
    const key = await api().json({ method: "POST", path: "/api/ssh-keys", body }, sshKeyView);
    if (out.json) return out.value(key);
    out.line(`Registered ${key.fingerprint}${key.label === "" ? "" : `, ${key.label}`}.`);
  });
}

async function publicKeyIn(given: string | undefined): Promise<string> {
  for (const file of given === undefined ? DEFAULT_FILES.map((name) => join(homedir(), ".ssh", name)) : [given]) {
    const text = await readPublic(file);
    // Also where the server would refuse it: a private key does not leave the machine.
    if (text?.includes("PRIVATE KEY") === true)
      throw new SallyportError("bad-request", `${file} is a private key`, { hint: `Give ${file}.pub.` });
    if (text !== undefined) return text;
  }
  throw new SallyportError(
    "bad-request",
    given === undefined ? "there is no public key in ~/.ssh" : `there is no ${given}`,
    {
      hint: "Make one: ssh-keygen -t ed25519",
    },
  );
}

function listCommand(): Command {
  return asks(new Command("list").description("the public keys that you have registered"), async ({ out, api }) => {
    const answer = await api().json({ path: "/api/ssh-keys" }, sshKeysView);
    if (out.json) return out.value(answer);
    const rows = answer.keys.map(({ fingerprint, type, registeredAt, label }) => [
      fingerprint,
      type,
      moment(registeredAt),
      label,
    ]);
    out.table(["FINGERPRINT", "TYPE", "REGISTERED", "LABEL"], rows, "You have registered no keys.");
  });
}

function removeCommand(): Command {
  const command = new Command("remove")
    .description("remove a public key; sessions that it opened end within seconds")
    .argument("<fingerprint>", "as `sallyport ssh-key list` shows it");
  return asks(command, async ({ out, api }, self) => {
    const [typed = ""] = self.args;
    const fingerprint = parseSshFingerprint(typed);
    if (fingerprint === undefined)
      throw new SallyportError("bad-request", `"${typed}" is no fingerprint`, {
        hint: "`sallyport ssh-key list` shows those of your keys.",
      });
    const path = `/api/ssh-keys/${sshKeyId(fingerprint)}`;
    const removed = await api().json({ method: "DELETE", path }, sshKeyView);
    if (out.json) return out.value(removed);
    out.line(`Removed ${removed.fingerprint}. Sessions that it opened end within 5 seconds.`);
  });
}
