import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { parse } from "yaml";
import { type Connections, parseConnections } from "../core/config/connections.ts";
import { asSallyportError, SallyportError } from "../core/errors.ts";
import type { PrincipalId } from "../core/identity/principal.ts";
import type { StatementFacts } from "../core/policy/facts.ts";
import { commandFacts } from "../core/policy/command-facts.ts";
import {
  type FailedCase,
  failedCases,
  parsePolicyCases,
  type Question,
  verdictOfQuestion,
} from "../core/policy/policy-cases.ts";
import { type LoadedPolicies, loadPolicies } from "../core/policy/policy-set.ts";
import type { CommandFacts } from "../core/policy/shell/facts.ts";
import { loadShellParser } from "../core/policy/shell-parser.ts";
import { loadSqlParser } from "../core/policy/sql-parser.ts";
import { statementFacts } from "../core/policy/statement-facts.ts";
import type { Ask, Verdict } from "../core/policy/verdict.ts";
import { systemCode } from "../local/files.ts";
import { readPolicyFiles } from "../local/policy-files.ts";

/** The policies of a folder. Throws `configuration-invalid` where they are not valid, or not there. */
export async function policiesIn(folder: string): Promise<LoadedPolicies & { readonly files: number }> {
  const files = await readPolicyFiles(folder);
  if (files === undefined)
    throw new SallyportError("configuration-invalid", `the folder ${folder} is not there`, {
      hint: "Without policies, whoever `access` lets in may do everything.",
    });
  return { ...loadPolicies(files), files: files.size };
}

export interface Tested {
  readonly cases: number;
  readonly failed: readonly FailedCase[];
}

/** @param folder of the policies; beside the file of cases by default */
export async function testPolicies(file: string, folder: string | undefined): Promise<Tested> {
  const policies = await policiesIn(folder ?? join(dirname(file), "policies"));
  const cases = parsePolicyCases(await yamlIn(file), file);
  await Promise.all([loadSqlParser(), loadShellParser()]);
  return { cases: cases.length, failed: failedCases(policies, cases) };
}

export interface Asked {
  readonly as: string;
  readonly kind: "user" | "service";
  readonly groups: readonly string[];
  readonly on: string;
  /** As `connections.yaml` says it, by default. */
  readonly environment: string | undefined;
  readonly at: number;
}

export interface Explained {
  readonly ask: Ask;
  readonly version: string;
  /** The groups that `access` lets in; undefined where the connection is not in `connections.yaml`. */
  readonly access: readonly string[] | undefined;
  readonly connect: Verdict;
  /** What is asked, where it is no SQL. */
  readonly question: Question | undefined;
  readonly command: CommandFacts | undefined;
  /** Of SQL. */
  readonly statements: readonly { readonly facts: StatementFacts; readonly verdict: Verdict }[];
  /** Of the whole message: none of it runs where one statement is blocked. */
  readonly verdict: Verdict;
}

/** What the gateway would make of something. @param config folder of `connections.yaml` and `policies/` */
export async function explain(config: string, asked: Asked, question: Question): Promise<Explained> {
  const policies = await policiesIn(join(config, "policies"));
  const connection = (await connectionsIn(config)).get(asked.on);
  const environment = asked.environment ?? connection?.environment ?? "default";
  const ask: Ask = {
    principal: { kind: asked.kind, id: asked.as as PrincipalId, name: asked.as, groups: asked.groups },
    connection: { name: asked.on, environment },
    now: asked.at,
  };
  await Promise.all([loadSqlParser(), loadShellParser()]);
  const { sql, command } = question;
  const facts = sql === undefined ? [] : statementFacts(sql);
  return {
    ask,
    version: policies.version,
    access: connection?.access,
    connect: policies.connect(ask),
    question: sql === undefined ? question : undefined,
    command: command === undefined ? undefined : commandFacts(command),
    statements: facts.map((each) => ({ facts: each, verdict: policies.statements(ask, [each]) })),
    verdict: verdictOfQuestion(policies, ask, question),
  };
}

async function connectionsIn(config: string): Promise<Connections> {
  const file = join(config, "connections.yaml");
  try {
    return parseConnections(parse(await readFile(file, "utf8")));
  } catch (thrown) {
    if (systemCode(thrown) === "ENOENT") return new Map();
    throw asSallyportError(thrown, "configuration-invalid", `${file} cannot be read: ${(thrown as Error).message}`);
  }
}

async function yamlIn(file: string): Promise<unknown> {
  try {
    return parse(await readFile(file, "utf8"));
  } catch (thrown) {
    throw asSallyportError(thrown, "configuration-invalid", `${file} cannot be read: ${(thrown as Error).message}`);
  }
}
