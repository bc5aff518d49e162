import { Command } from "commander";
import { SallyportError } from "../../core/errors.ts";
import { asks, type Context } from "../context.ts";
import { findProgram, runInForeground } from "../foreground.ts";
import { connectionOf, withFreshPass } from "../fresh-pass.ts";
import { caFile } from "../logins.ts";
import { readPublic } from "../private-files.ts";
import { howToInstallPsql, libpqEnvironment } from "../psql.ts";

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
  const { protocol, host, port } = await connectionOf(api, name);
  if (protocol !== "postgres" || port === null)
    throw new SallyportError("bad-request", `"${name}" is no database`, {
      hint: `Run \`sallyport ${protocol} ${name}\`.`,
    });
  const trusted = await trustedAuthority(context);
  const user = context.login?.name ?? name;
  return withFreshPass(api, name, "psql", (pass) =>
    runInForeground(
      program,
      args[0] === "--" ? args.slice(1) : args,
      libpqEnvironment({ host, port, database, user, pass, caFile: trusted }),
    ),
  );
}

/** The authority as it was at the log-in: one that changed since must be accepted by a person, by a log-in. */
async function trustedAuthority({ folder, server }: Context): Promise<string> {
  const file = caFile(folder, server);
  if ((await readPublic(file)) !== undefined) return file;
  throw new SallyportError("configuration-invalid", `${file}, the gateway's certificate authority, is missing`, {
    hint: `Run \`sallyport login --server ${server}\`.`,
  });
}
