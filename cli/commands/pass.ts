import { readFile } from "node:fs/promises";
import { text as textFrom } from "node:stream/consumers";
import { Command } from "commander";
import { asSallyportError, SallyportError } from "../../core/errors.ts";
import { newPassView, passesView, passView } from "../api-views.ts";
import { asks, type Context } from "../context.ts";
import { awsProof, exchangeForPass, type Proof, tokenProof } from "../exchange.ts";
import { moment } from "../output.ts";

/** A pass takes the place of a password with native clients. */
export function passCommand(): Command {
  return new Command("pass")
    .description("get, list or revoke passes: what native clients show as the password")
    .addCommand(issueCommand(), { isDefault: true })
    .addCommand(listCommand())
    .addCommand(revokeCommand());
}

function issueCommand(): Command {
  const command = new Command("issue")
    .description("get a pass, good for an hour; it is printed once, alone on standard output")
    .argument("[connection]", "the only connection that it shall open (default: every one of yours)")
    .option("--label <text>", "how you will know it again")
    .option(
      "--token-file <file>",
      "exchange this file's token of a trusted issuer, without signing in; - is standard input",
    )
    .option("--token-env <name>", "the same with the token in a variable of the environment")
    .option("--actor-token-file <file>", "who acts for the token's subject, by a token of their own")
    .option("--aws", "exchange an identity of AWS: that of the environment, the container or the instance")
    .addHelpText(
      "after",
      "\nA job, a pod, an instance or an agent gets its pass by --token-file, --token-env or --aws: docs/services.md tells how\nit is trusted. With --json such a pass is {id, connection, expiresIn, pass}.",
    );
  return asks(command, async (context, self) => {
    const { out, api } = context;
    const [connection] = self.args;
    const flags = self.opts<{ label?: string } & ProofFlags>();
    const { label } = flags;
    if (PROOFS.some((proof) => flags[proof] !== undefined)) return exchanged(context, flags, label, connection);
    const body = { ...(connection !== undefined && { connection }), ...(label !== undefined && { label }) };
    const issued = await api().json({ method: "POST", path: "/api/passes", body }, newPassView);
    if (out.json) return out.value(issued);
    out.line(issued.pass);
    out.note(
      `${issued.id}: for ${issued.connection ?? "every connection of yours"}, until ${moment(issued.expiresAt)}`,
    );
  });
}

interface ProofFlags {
  readonly tokenFile?: string;
  readonly tokenEnv?: string;
  readonly actorTokenFile?: string;
  readonly aws?: true;
}

const PROOFS = ["tokenFile", "tokenEnv", "actorTokenFile", "aws"] as const satisfies readonly (keyof ProofFlags)[];

/** A workload's own pass: nobody is signed in, and nothing is kept. */
async function exchanged(
  { out, server }: Context,
  flags: ProofFlags,
  label: string | undefined,
  connection: string | undefined,
): Promise<void> {
  if (label !== undefined)
    throw new SallyportError("bad-request", "the pass of an exchange is called by what proved it");
  const subject = await subjectOf(flags, server);
  const actor = flags.actorTokenFile === undefined ? undefined : await tokenIn(flags.actorTokenFile);
  const issued = await exchangeForPass(server, { subject, actor, connection });
  const [id, only, seconds] = [issued.pass_id, issued.scope ?? null, issued.expires_in];
  if (out.json) return out.value({ id, connection: only, expiresIn: seconds, pass: issued.access_token });
  out.line(issued.access_token);
  out.note(`${id}: for ${only ?? "every connection of yours"}, for ${Math.floor(seconds / 60)} minutes`);
}

async function subjectOf({ tokenFile, tokenEnv, aws }: ProofFlags, server: string): Promise<Proof> {
  if ([tokenFile, tokenEnv, aws].filter((flag) => flag !== undefined).length !== 1)
    throw new SallyportError("bad-request", "give one of --token-file, --token-env and --aws");
  if (tokenFile !== undefined) return tokenIn(tokenFile);
  if (tokenEnv !== undefined) return tokenProof(process.env[tokenEnv] ?? "", `the variable ${tokenEnv}`);
  return awsProof(server, process.env, Date.now());
}

async function tokenIn(file: string): Promise<Proof> {
  try {
    const text = file === "-" ? await textFrom(process.stdin) : await readFile(file, "utf8");
    return tokenProof(text, file === "-" ? "standard input" : file);
  } catch (thrown) {
    const why = thrown instanceof Error ? thrown.message : "";
    throw asSallyportError(thrown, "bad-request", `${file} cannot be read: ${why}`);
  }
}

function listCommand(): Command {
  return asks(new Command("list").description("your newest passes, without their text"), async ({ out, api }) => {
    const answer = await api().json({ path: "/api/passes" }, passesView);
    if (out.json) return out.value(answer);
    const rows = answer.passes.map((pass) => [
      pass.id,
      pass.status,
      pass.connection ?? "every one",
      moment(pass.expiresAt),
      pass.label,
    ]);
    out.table(["ID", "STATE", "CONNECTION", "EXPIRES", "LABEL"], rows, "You have no passes.");
  });
}

function revokeCommand(): Command {
  const command = new Command("revoke")
    .description("revoke a pass; sessions that live by it end within seconds")
    .argument("<id>", "as `sallyport pass list` shows it");
  return asks(command, async ({ out, api }, self) => {
    const path = `/api/passes/${encodeURIComponent(self.args[0] ?? "")}`;
    const revoked = await api().json({ method: "DELETE", path }, passView);
    if (out.json) return out.value(revoked);
    out.line(`Revoked ${revoked.id}. Its live sessions end within 5 seconds.`);
  });
}
