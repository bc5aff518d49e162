import { Command } from "commander";
import { SallyportError } from "../../core/errors.ts";
import { isHost } from "../address.ts";
import { hostKeyView } from "../api-views.ts";
import { asks, type Context } from "../context.ts";
import { findProgram, runInForeground } from "../foreground.ts";
import { connectionOf, withFreshPass } from "../fresh-pass.ts";
import { knownHostsFile } from "../logins.ts";
import { readPublic } from "../private-files.ts";
import { sshArguments, sshEnvironment } from "../ssh.ts";

export function sshCommand(): Command {
  const command = new Command("ssh")
    .description("open a connection with ssh, with a fresh pass")
    .argument("<connection>", "its name, as `sallyport connections` shows it")
    .argument("[args...]", "ssh's own arguments: a command, or after -- options as well")
    .passThroughOptions();
  return asks(command, openSsh).addHelpText(
    "after",
    "\nOptions of ours stand before the connection: sallyport ssh --server URL web-1 -- -L 8080:localhost:80\nThe pass is revoked when ssh ends, and with it what ssh -f left behind. It needs OpenSSH 8.4 or newer;\nany ssh can do without this command: `sallyport connections` shows how.",
  );
}

async function openSsh(context: Context, command: Command): Promise<number> {
  const [name = "", ...args] = command.args;
  const program = findProgram("ssh");
  if (program === undefined)
    throw new SallyportError("feature-not-supported", "ssh is not installed here", {
      hint: "Install OpenSSH's client: openssh-client, or openssh-clients.",
    });
  const api = context.api();
  const { protocol, host, port } = await connectionOf(api, name);
  if (protocol !== "ssh")
    throw new SallyportError("bad-request", `"${name}" is not opened by ssh`, {
      hint: `Run \`sallyport psql ${name}\`.`,
    });
  // A host is an argument of ssh's, and must not be an option.
  if (port === null || !isHost(host))
    throw new SallyportError("target-unreachable", "the gateway takes no SSH connections now", {
      hint: "Whoever runs it restarts it with --ssh-listen.",
    });
  const login = { host, port, connection: name, knownHostsFile: await trustedHostKey(context) };
  const own = args[0] === "--" ? args.slice(1) : args;
  return withFreshPass(api, name, "ssh", (pass) =>
    runInForeground(program, sshArguments(login, own), sshEnvironment(pass)),
  );
}

/** The host key as it was at the log-in: one that changed since must be accepted by a person, by a log-in. */
async function trustedHostKey({ folder, server }: Context): Promise<string> {
  const file = knownHostsFile(folder, server);
  if ((await readPublic(file)) !== undefined) return file;
  throw new SallyportError("configuration-invalid", `${file}, the gateway's host key, is missing`, {
    hint: `Run \`sallyport login --server ${server}\`.`,
  });
}

export function knownHostsCommand(): Command {
  const command = new Command("known-hosts").description("print the gateway's line for ~/.ssh/known_hosts");
  return asks(command, async ({ out, anonymous }) => {
    const hostKey = await anonymous().json({ path: "/api/ssh-host-key" }, hostKeyView);
    if (out.json) return out.value(hostKey);
    out.line(hostKey.knownHosts);
    out.note(`Its fingerprint is ${hostKey.fingerprint}. Add it: sallyport known-hosts >> ~/.ssh/known_hosts`);
  });
}
