import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** How OpenSSH's clients reach a server: a configuration file, so that ssh, scp, sftp, rsync and git take it alike. */
export interface SshClient {
  /** `-F` and the file. */
  readonly options: readonly string[];
  /** For programs that run ssh themselves, such as git and rsync. */
  readonly command: string;
  readonly env: NodeJS.ProcessEnv;
  readonly directory: string;
  close(): Promise<void>;
}

interface Reached {
  readonly host: string;
  readonly port: number;
  /** Its public host key, as a line. */
  readonly hostKey: string;
  /** What is typed where a password is asked for. */
  readonly password?: string;
  readonly keyFile?: string;
  readonly settings?: readonly string[];
}

/** A client of the host `name`, with nothing of the configuration of whoever runs the tests. */
export async function sshClient(name: string, user: string, reached: Reached): Promise<SshClient> {
  const directory = await mkdtemp(join(tmpdir(), "sallyport-ssh-client-"));
  const at = (file: string): string => join(directory, file);
  const { host, port, hostKey, password = "", keyFile, settings = [] } = reached;
  await writeFile(at("known_hosts"), `[${host}]:${port} ${hostKey}\n`);
  await writeFile(at("askpass"), `#!/bin/sh\nprintf '%s\\n' "$TEST_PASSWORD"\n`);
  await chmod(at("askpass"), 0o700);
  const lines = [
    `Host ${name}`,
    ...settings, // the first value of a setting counts
    `HostName ${host}`,
    `Port ${port}`,
    `User ${user}`,
    `UserKnownHostsFile ${at("known_hosts")}`,
    "GlobalKnownHostsFile /dev/null",
    "StrictHostKeyChecking yes",
    "IdentitiesOnly yes",
    "IdentityAgent none",
    ...(keyFile === undefined ? ["PreferredAuthentications password"] : [`IdentityFile ${keyFile}`]),
  ];
  await writeFile(at("config"), `${lines.join("\n")}\n`);
  return {
    options: ["-F", at("config")],
    command: `ssh -F ${at("config")}`,
    env: {
      ...process.env,
      SSH_ASKPASS: at("askpass"),
      SSH_ASKPASS_REQUIRE: "force",
      TEST_PASSWORD: password,
      LC_ALL: "C",
    },
    directory,
    close: () => rm(directory, { recursive: true, force: true }),
  };
}
