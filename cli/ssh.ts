import { fileURLToPath } from "node:url";

/** How ssh reaches a connection through the gateway. */
export interface SshLogin {
  readonly host: string;
  readonly port: number;
  readonly connection: string;
  /** Where the gateway's host key is kept, under HOST_KEY_ALIAS. */
  readonly knownHostsFile: string;
}

/**
 * What ssh calls the gateway, when it looks for its key and when it asks for the password: no host can have this name, so
 * that no other that ssh meets on the way (a jump host) is ever answered with the pass.
 */
export const HOST_KEY_ALIAS = "sallyport/gateway";

/** What ssh runs to be told the password: a program that answers for the gateway alone. */
const ASKPASS = fileURLToPath(new URL("../bin/ssh-askpass.sh", import.meta.url));

/**
 * ssh's arguments: they lead it to the gateway, which must show the key that is kept, and have it sign in by the pass, whatever
 * the person's own configuration says: of an option that is given twice, ssh takes the first (ssh_config(5)).
 * @param args the person's own; options among them, such as -L, come after the host, where ssh takes them too
 */
export function sshArguments({ host, port, connection, knownHostsFile }: SshLogin, args: readonly string[]): string[] {
  const options = {
    HostName: host,
    Port: String(port),
    User: connection,
    HostKeyAlias: HOST_KEY_ALIAS,
    UserKnownHostsFile: `"${knownHostsFile.replaceAll("%", "%%")}"`,
    GlobalKnownHostsFile: "/dev/null",
    IgnoreUnknown: "KnownHostsCommand", // OpenSSH 8.4 does not know it
    KnownHostsCommand: "none",
    VerifyHostKeyDNS: "no",
    StrictHostKeyChecking: "yes",
    UpdateHostKeys: "no",
    BatchMode: "no",
    PasswordAuthentication: "yes",
    PubkeyAuthentication: "no",
    PreferredAuthentications: "password",
    NumberOfPasswordPrompts: "1",
    // A connection that is shared would outlive the pass, or have been opened by another.
    ControlMaster: "no",
    ControlPath: "none",
  };
  return [...Object.entries(options).flatMap(([name, value]) => ["-o", `${name}=${value}`]), host, ...args];
}

/** The environment that tells ssh the pass (ssh(1), ENVIRONMENT; OpenSSH 8.4): never among the arguments, which others can see. */
export function sshEnvironment(pass: string, env: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv {
  return { ...env, SSH_ASKPASS: ASKPASS, SSH_ASKPASS_REQUIRE: "force", SALLYPORT_SSH_PASS: pass };
}
