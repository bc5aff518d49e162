import { join } from "node:path";
import type { Connections } from "../core/config/connections.ts";
import { devicePage } from "../core/identity/device-sign-in.ts";
import type { ListenAddress } from "./address.ts";
import type { ServeOptions } from "./serve.ts";
import { type SshHostKey, sshHostKey } from "./ssh-host-key.ts";

/** Where nothing else is asked for: SSH's own port is most often the machine's own. */
const SSH_PORT = 2222;

/** What an SSH listener needs beside the stores. */
export interface SshListening {
  readonly listen: ListenAddress;
  readonly hostKey: SshHostKey;
  /** Where a person decides on a sign-in of this code, as people read it. */
  readonly deviceLink: (userCode: string) => string;
}

/**
 * What the SSH listener is to be; undefined where there shall be none: nobody asked for one, and no connection is of SSH.
 * @param url the origin of the pages
 * Throws `configuration-invalid` for a host key that is none.
 */
export async function sshListening(
  { sshListen, listen, state }: Pick<ServeOptions, "sshListen" | "listen" | "state">,
  connections: Connections,
  url: string,
): Promise<SshListening | undefined> {
  const needed = [...connections.values()].some(({ protocol }) => protocol === "ssh");
  if (sshListen === undefined && !needed) return undefined;
  return {
    listen: sshListen ?? { host: listen.host, port: SSH_PORT },
    hostKey: await sshHostKey(join(state, "ssh-host-key")),
    deviceLink: (userCode) => devicePage(url, userCode),
  };
}
