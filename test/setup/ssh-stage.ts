import { startTestGateway, type TestGateway, type TestGatewayOptions, type TestSshTarget } from "./gateway.ts";
import { run, type Ran, type RunOptions } from "./programs.ts";
import { type SshClient, sshClient } from "./ssh-client.ts";
import { type Sshd, startSshd } from "./sshd.ts";

/** No PostgreSQL is needed where SSH alone is tested. */
const NO_DATABASE = { host: "127.0.0.1", port: 1, user: "nobody" };

/** An SSH server, a gateway before it, and a client of either: of the host `web` through the gateway, and `web` directly. */
export interface SshStage {
  readonly sshd: Sshd;
  readonly gateway: TestGateway;
  readonly through: SshClient;
  readonly direct: SshClient;
  /** Runs one of OpenSSH's programs against `web`, through the gateway. */
  run(program: string, args: readonly string[], options?: RunOptions): Promise<Ran>;
  /** The same directly. */
  runDirectly(program: string, args: readonly string[], options?: RunOptions): Promise<Ran>;
  /** Another client through the gateway, with settings of its own. */
  client(settings: readonly string[], pass?: string): Promise<SshClient>;
  close(): Promise<void>;
}

export async function sshStage(
  { shell = "open", ...options }: Omit<Partial<TestGatewayOptions>, "ssh"> & Pick<TestSshTarget, "shell"> = {},
  sshdSettings: readonly string[] = [],
): Promise<SshStage> {
  const sshd = await startSshd(sshdSettings);
  const target = { ...sshd, hostKeys: [sshd.hostKey], shell };
  const gateway = await startTestGateway({ target: NO_DATABASE, ...options, ssh: target });
  const clients: SshClient[] = [];
  const client: SshStage["client"] = async (settings, pass) => {
    const { port = 0, hostKey = "" } = gateway.ssh ?? {};
    const password = pass ?? (await gateway.pass());
    const made = await sshClient("web", "web", { host: gateway.host, port, hostKey, password, settings });
    clients.push(made);
    return made;
  };
  const through = await client([]);
  const direct = await sshClient("web", sshd.user, sshd);
  clients.push(direct);
  const runWith =
    ({ options: file, env }: SshClient): SshStage["run"] =>
    (program, args, more) =>
      run(program, [...file, ...args], { env, ...more });
  return {
    sshd,
    gateway,
    through,
    direct,
    run: runWith(through),
    runDirectly: runWith(direct),
    client,
    async close() {
      for (const made of clients) await made.close();
      await gateway.close();
      await sshd.close();
    },
  };
}
