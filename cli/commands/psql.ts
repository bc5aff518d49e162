import { hostname } from "node:os";
import { Command } from "commander";
import { SallyportError } from "../../core/errors.ts";
import { readPublic } from "../private-files.ts";
import type { Api } from "../api-client.ts";
import { connectionsView, newPassView, passView } from "../api-views.ts";
import { asks, type Context } from "../context.ts";
import { caFile } from "../logins.ts";
import { findProgram, howToInstallPsql, libpqEnvironment, runInForeground } from "../psql.ts";

export function psqlCommand(): Command {
  const command = new Command("psql")
    .description("open a connection with psql, with a fresh pass")
    .argument("<connection>", "its name, as `sallyport connections` shows it, or connection/database")
    .argument("[args...]", "after --: psql's own arguments")
    .passThroughOptions();
  return asks(command, openPsql).addHelpText(
    "after",
    '\nOptions of ours stand before the connection: sallyport psql --server URL shop -- -c "select 1"\nThe pass is revoked when psql ends.',
  );
}

async function openPsql(context: Context, command: Command): Promise<number> {
  const [database = "", ...args] = command.args;
  const program = findProgram("psql");
  if (program === undefined)
    throw new SallyportError("feature-not-supported", "psql is not installed here", { hint: howToInstallPsql() });
  const api = context.api();
  const [name = ""] = database.split("/", 1);
  const { connections } = await api.json({ path: "/api/connections" }, connectionsView);
  const connection = connections.find((one) => one.name === name);
  if (connection === undefined)
    throw new SallyportError("connection-unknown", `there is no connection "${name}" for you`, {
      hint: "`sallyport connections` lists yours.",
    });
  const trusted = await trustedAuthority(context);
  const label = `psql on ${hostname().slice(0, 60)}`;
  const issued = await api.json(
    { method: "POST", path: "/api/passes", body: { connection: name, label } },
    newPassView,
  );
  const { host, port } = connection;
  const user = context.login?.name ?? name;
  const env = libpqEnvironment({ host, port, database, user, pass: issued.pass, caFile: trusted });
  try {
    return await runInForeground(program, args[0] === "--" ? args.slice(1) : args, env);
  } finally {
    await revoke(api, issued.id);
  }
}

/** The authority as it was at the log-in: one that changed since must be accepted by a person, by a log-in. */
async function trustedAuthority({ folder, server }: Context): Promise<string> {
  const file = caFile(folder, server);
  if ((await readPublic(file)) !== undefined) return file;
  throw new SallyportError("configuration-invalid", `${file}, the gateway's certificate authority, is missing`, {
    hint: `Run \`sallyport login --server ${server}\`.`,
  });
}

/** It was for this psql only. Where it cannot be revoked it expires, and psql's own status counts. */
async function revoke(api: Api, id: string): Promise<void> {
  await api
    .json({ method: "DELETE", path: `/api/passes/${encodeURIComponent(id)}`, timeoutMs: REVOKE_TIMEOUT_MS }, passView)
    .catch(() => {});
}

/** Whoever has left psql wants the prompt back. */
const REVOKE_TIMEOUT_MS = 2_000;
