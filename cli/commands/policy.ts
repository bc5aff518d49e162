import { Command, InvalidArgumentError, Option } from "commander";
import { SallyportError } from "../../core/errors.ts";
import { SSH_CHANNELS } from "../../core/policy/actions.ts";
import { FILE_OPERATIONS, isFileOperation } from "../../core/policy/file-operations.ts";
import { type FailedCase, type Question, tellAsked } from "../../core/policy/policy-cases.ts";
import { offline } from "../context.ts";
import { EXIT } from "../exit-status.ts";
import type { Output } from "../output.ts";
import { explanation, linesOfVerdict } from "../policy-explanation.ts";
import type { Asked, Explained } from "../policy-tool.ts";

const FOLDER = "config/policies";
const CASES = "config/policy-cases.yaml";

/** Needs no server: what is asked about is on this machine. */
export function policyCommand(): Command {
  return new Command("policy")
    .description("check, test and explain policies, without a server")
    .addCommand(checkCommand())
    .addCommand(testCommand())
    .addCommand(explainCommand());
}

function checkCommand(): Command {
  const command = new Command("check")
    .description("whether policies are valid; if not, what is wrong and where")
    .argument("[folder]", "of *.cedar files", FOLDER);
  return offline(command, async (out, self) => {
    const { policiesIn } = await import("../policy-tool.ts");
    const [folder = FOLDER] = self.args;
    const { ids, files, version } = await policiesIn(folder);
    if (out.json) out.value({ folder, files, policies: ids, version });
    else out.line(`${folder} is valid: ${ids.length} policies in ${files} files, version ${version.slice(0, 12)}`);
  });
}

function testCommand(): Command {
  const command = new Command("test")
    .description("whether a table of cases gets the verdicts that it expects")
    .argument("[cases]", "YAML; docs/policy.md tells how it is written", CASES)
    .option("--policies <folder>", "the policies (default: the folder `policies` beside the cases)");
  return offline(command, async (out, self) => {
    const { testPolicies } = await import("../policy-tool.ts");
    const [file = CASES] = self.args;
    const { cases, failed } = await testPolicies(file, self.opts<{ policies?: string }>().policies);
    if (out.json) out.value({ cases, failed: failed.map(shownFailure) });
    else tellTested(out, file, cases, failed);
    return failed.length === 0 ? EXIT.ok : EXIT.failure;
  });
}

function shownFailure({ number, case: one, got, differences }: FailedCase): unknown {
  const { name = null, sql = null, command = null, file = null, forward = null, listen = null, action = null } = one;
  return { number, name, sql, command, file, forward, listen, action, got, differences };
}

function tellTested(out: Output, file: string, cases: number, failed: readonly FailedCase[]): void {
  for (const { number, case: one, got, differences } of failed) {
    out.line(`case ${number} of ${file}: ${one.name ?? tellAsked(one)}`);
    for (const { what, expected, got: other } of differences) out.line(`  - ${what} ${expected}\n  + ${what} ${other}`);
    if (got.kind !== "allow") out.line(`  because ${got.reason}`);
  }
  out.line(failed.length === 0 ? `All ${cases} cases pass.` : `${failed.length} of ${cases} cases fail.`);
}

function explainCommand(): Command {
  const command = new Command("explain")
    .description("what becomes of SQL, statement by statement, or of something else that is asked, and why")
    .argument("[sql]", "one statement or several, as a client would send them")
    .option("--command <text>", "a command, as `ssh` would send it")
    .option("--file <operation:path>", "such as write:/etc/hosts", fileAsked)
    .option("--forward <host:port>", "a connection from the client through the target", peer)
    .option("--listen <host:port>", "a port at the target that leads to the client", peer)
    .addOption(new Option("--action <name>", "an action of which there is no more to say").choices(ACTIONS))
    .requiredOption("--on <connection>", "the connection's name")
    .option("--as <id>", "who asks, by the id that `sallyport whoami` tells", "somebody")
    .option("--groups <groups>", "their groups, with commas between", listed, [])
    .addOption(new Option("--kind <kind>", "a person, or an agent").choices(["user", "service"]).default("user"))
    .option("--environment <name>", "the connection's (default: as connections.yaml says)")
    .option("--at <time>", "when, such as 2026-11-23T22:15Z (default: now)", moment)
    .option("--config <folder>", "of connections.yaml and policies/", "config");
  return offline(command, async (out, self) => {
    const { explain } = await import("../policy-tool.ts");
    const { config, command: text, file, forward, listen, action, ...asked } = self.opts<Asking>();
    const question = { sql: self.args[0], command: text, file, forward, listen, action };
    if (Object.values(question).filter((one) => one !== undefined).length !== 1)
      throw new SallyportError("bad-request", "say one thing that is asked: <sql>, --command, --file, --forward, --listen or --action"); // prettier-ignore
    const explained = await explain(
      config,
      { ...asked, environment: asked.environment, at: asked.at ?? Date.now() },
      question,
    );
    if (out.json) return out.value(shownExplanation(explained));
    for (const line of explanation(explained)) out.line(line);
    const before = explained.question === undefined ? "Together: " : "";
    for (const line of linesOfVerdict(explained.verdict, before)) out.line(line);
  });
}

type Asking = Asked & Omit<Question, "sql"> & { readonly config: string };

const ACTIONS = ["connect", ...SSH_CHANNELS];

function shownExplanation({ ask: { principal, connection, now }, access, ...rest }: Explained): unknown {
  const { id: as, kind, groups } = principal;
  const where = { on: connection.name, environment: connection.environment, access: access ?? null };
  return { as, kind, groups, ...where, at: new Date(now).toISOString(), ...rest };
}

function fileAsked(text: string): Question["file"] {
  const at = text.indexOf(":");
  const [operation, path] = [text.slice(0, at), text.slice(at + 1)];
  if (at > 0 && path !== "" && isFileOperation(operation)) return { operation, path };
  throw new InvalidArgumentError(`It must be an operation and a path: ${Object.keys(FILE_OPERATIONS).join(", ")}.`);
}

function peer(text: string): Question["forward"] {
  const [, host, port] = /^(.+):(\d{1,5})$/.exec(text) ?? [];
  if (host !== undefined && Number(port) <= 65_535) return { host, port: Number(port) };
  throw new InvalidArgumentError("It must be a host and a port, such as localhost:8080.");
}

function listed(text: string): string[] {
  return text.split(",").filter(Boolean);
}

function moment(text: string): number {
  const value = Date.parse(text);
  if (Number.isNaN(value)) throw new InvalidArgumentError("It must be a time such as 2026-11-23T22:15Z.");
  return value;
}
