import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { Command } from "commander";
import { SallyportError } from "../../core/errors.ts";
import { parseSshFingerprint, sshKeyId } from "../../core/identity/ssh-key.ts";
import { visible } from "../../core/recording/visible.ts";
import { sshKeysView, sshKeyView } from "../api-views.ts";
import { asks } from "../context.ts";
import { findProgram } from "../foreground.ts";
import { moment } from "../output.ts";
import { readPublic } from "../private-files.ts";

/** In the order in which ssh itself would offer them. */
const DEFAULT_KEYS = ["id_ed25519", "id_ecdsa", "id_rsa"];
/** The server's bound. */
const MAX_LABEL = 100;

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
    .argument(
      "[file]",
      `the key, in a file or, where only its .pub is, in your agent (default: ~/.ssh/${DEFAULT_KEYS[0]}, …)`,
    )
    .option("--label <text>", "how you will know it again (default: its comment)");
  return asks(command, async ({ out, api }, self) => {
    const file = await keyFile(self.args[0]);
    const label = self.opts<{ label?: string }>().label ?? (await commentOf(file));
    const { statement, namespace } = await api().json({ path: "/api/ssh-keys" }, sshKeysView);
    const body = { signature: await signed(file, namespace, statement), label };
    const key = await api().json({ method: "POST", path: "/api/ssh-keys", body }, sshKeyView);
    if (out.json) return out.value(key);
    out.line(`Registered ${key.fingerprint}${key.label === "" ? "" : `, ${key.label}`}.`);
  });
}

/** The file of the private key, or of the public one where it is alone. */
async function keyFile(given: string | undefined): Promise<string> {
  const names = given === undefined ? DEFAULT_KEYS.map((name) => join(homedir(), ".ssh", name)) : [given];
  for (const name of names) {
    const secret = name.replace(/\.pub$/, "");
    const found = [secret, `${secret}.pub`].find(existsSync);
    if (found !== undefined) return found;
  }
  throw new SallyportError("bad-request", given === undefined ? "there is no key in ~/.ssh" : `there is no ${given}`, {
    hint: "Make one: ssh-keygen -t ed25519",
  });
}

async function commentOf(file: string): Promise<string> {
  const line = (await readPublic(`${file.replace(/\.pub$/, "")}.pub`)) ?? "";
  return visible(line.trim().split(" ").slice(2).join(" ")).slice(0, MAX_LABEL);
}

/** It is ssh-keygen that reads the private key, and asks for its passphrase. */
async function signed(file: string, namespace: string, statement: string): Promise<string> {
  const program = findProgram("ssh-keygen");
  if (program === undefined)
    throw new SallyportError("feature-not-supported", "ssh-keygen is not installed here", {
      hint: "It comes with OpenSSH's client: openssh-client, or openssh-clients.",
    });
  const child = spawn(program, ["-q", "-Y", "sign", "-n", namespace, "-f", file], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  child.stdin.on("error", () => {}); // it may end without reading
  child.stdin.end(statement);
  const [signature, [status]] = await Promise.all([
    text(child.stdout),
    once(child, "close") as Promise<[number | null]>,
  ]);
  if (status === 0) return signature;
  throw new SallyportError("bad-request", `ssh-keygen could not sign with ${file}`, {
    hint: "The private key must be beside the public one, or in your agent.",
  });
}

function listCommand(): Command {
  return asks(new Command("list").description("the public keys that you have registered"), async ({ out, api }) => {
    const answer = await api().json({ path: "/api/ssh-keys" }, sshKeysView);
    if (out.json) return out.value({ keys: answer.keys });
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
