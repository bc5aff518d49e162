import { sshFingerprint } from "../../core/identity/ssh-key.ts";
import type { SshFingerprint } from "../../core/ports/ssh-key-store.ts";
import type { ConnectionSummary, GatewayAddress, SshAddress } from "./deps.ts";

/** Where ssh goes when no port is given. */
const SSH_PORT = 22;

/** What a person types to open a connection with OpenSSH; the user's name is the connection's. */
export function sshCommand(host: string, ssh: SshAddress, { name }: ConnectionSummary): string {
  const port = ssh.port === SSH_PORT ? [] : ["-p", String(ssh.port)];
  return ["ssh", ...port, `${name}@${host}`].join(" ");
}

/** By what SSH clients know the gateway. */
export interface HostKey {
  /** `type base64`, as in a `.pub` file. */
  readonly publicKey: string;
  /** As ssh shows it to a person. */
  readonly fingerprint: SshFingerprint;
  /** A line for `known_hosts` (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT). */
  readonly knownHosts: string;
}

/** The gateway's host key; undefined while no SSH listener runs. */
export function hostKeyOf({ host, ssh }: GatewayAddress): HostKey | undefined {
  if (ssh === undefined) return undefined;
  const { hostKey, port } = ssh;
  return {
    publicKey: hostKey,
    fingerprint: sshFingerprint(Buffer.from(hostKey.split(" ")[1] ?? "", "base64")),
    knownHosts: `${port === SSH_PORT ? host : `[${host}]:${port}`} ${hostKey}`,
  };
}
