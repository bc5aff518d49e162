import { once } from "node:events";
import type { AddressInfo } from "node:net";
import type { Server } from "node:http";
import { createRequire } from "node:module";

/** What the local SES keeps of a mail (GET /store). */
export interface SesMail {
  readonly from: string;
  readonly destination: {
    readonly to: readonly string[];
    readonly cc: readonly string[];
    readonly bcc: readonly string[];
  };
  readonly subject: string;
  readonly body: { readonly text?: string; readonly html?: string };
  readonly headers?: readonly { readonly name: string; readonly value: string }[];
}

export interface LocalSes {
  readonly endpoint: string;
  mails(): Promise<SesMail[]>;
  close(): Promise<void>;
}

/** A local SES on a free port of loopback, with nothing sent yet: its mails are the process's, so one at a time. */
export async function startSes(): Promise<LocalSes> {
  const { default: start } = createRequire(import.meta.url)("aws-ses-v2-local") as {
    default: (config: { host: string; port: number }) => Promise<Server>;
  };
  const server = await start({ host: "127.0.0.1", port: 0 });
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  await fetch(`${endpoint}/clear-store`, { method: "POST" });
  return {
    endpoint,
    mails: async () => ((await (await fetch(`${endpoint}/store`)).json()) as { emails: SesMail[] }).emails,
    async close() {
      server.closeAllConnections();
      if (!server.listening) return;
      server.close();
      await once(server, "close");
    },
  };
}
