import { existsSync, readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { sallyport } from "../../cli/program.ts";
import { ERRORS } from "../../core/errors.ts";
import { ENVIRONMENT } from "../../aws/environment.ts";
import { SETTING_NAMES, variableOf } from "../../infra/settings.ts";
import { type Resource, type Synthesised, synthesise } from "../infra/synthesised.ts";
import { anchorsIn, namedIn } from "./named.ts";

const RUNBOOK = "docs/runbook.md";
const OF_OPERATORS = [
  RUNBOOK,
  "docs/deploying.md",
  "docs/operating.md",
  "docs/threat-model.md",
  "docs/architecture.md",
  "docs/adr/0002-ports-and-adapters.md",
];
const PAGE = readFileSync(RUNBOOK, "utf8");

let made: Synthesised;

beforeAll(() => {
  made = synthesise();
}, 120_000);

/** What a program is told by the name, or a deployment, or `sallyport serve` and its clients. */
function knownVariables(): string[] {
  const options = readFileSync("cli/commands/serve.ts", "utf8").matchAll(/"([A-Z_]+)",?\s*(?:"[^"]*",?\s*)?\)/g);
  const others = ["SALLYPORT_OIDC_CLIENT_SECRET", "SALLYPORT_SMTP_PASSWORD", "SALLYPORT_SETTINGS", "SALLYPORT_IO"];
  return [
    ...Object.values(ENVIRONMENT),
    ...SETTING_NAMES.map(variableOf),
    ...[...options].map(([, name]) => `SALLYPORT_${name}`),
    ...others,
  ];
}

function descriptionOf({ properties }: Resource): string {
  return String(properties.Description ?? properties.AlarmDescription);
}

describe.each(OF_OPERATORS)("%s", (name) => {
  const { commands, variables, files, brokenLinks } = namedIn(name);

  test("names commands and options that there are", () => {
    expect(commands.filter(({ fault }) => fault !== undefined)).toEqual([]);
  });

  test("names variables that somebody reads", () => {
    expect(variables.filter((one) => !knownVariables().includes(one))).toEqual([]);
  });

  test("names files that are there", () => {
    expect(files.filter((file) => !existsSync(file))).toEqual([]);
  });

  test("links to pages and headings that are there", () => {
    expect(brokenLinks).toEqual([]);
  });
});

describe("docs/runbook.md", () => {
  test("is what each alarm points to", () => {
    const alarms = made.of("AWS::CloudWatch::Alarm");
    expect(alarms.length).toBeGreaterThan(10);
    const pointed = alarms.map((alarm) => /docs\/runbook\.md#([a-z]+)\.$/.exec(descriptionOf(alarm))?.[1] ?? "");
    expect(anchorsIn(PAGE)).toEqual(expect.arrayContaining(pointed));
    const section = /^## The alarms$(.*?)^## /ms.exec(PAGE)?.[1] ?? "";
    expect(anchorsIn(section).toSorted()).toEqual(pointed.toSorted());
  });

  test("says of each alarm what it means, where to look first and what to do", () => {
    const section = /^## The alarms$(.*?)^## /ms.exec(PAGE)?.[1] ?? "";
    for (const one of section.split(/^### /m).slice(1))
      expect(one).toMatch(/\*\*Means\*\*.*\*\*First look\*\*.*\*\*Remedy\*\*/s);
  });

  test("finds resources by names that the stacks give", () => {
    const asked = [...PAGE.matchAll(/\bid ([A-Z]\w+) (\w+) (AWS::[\w:]+)/g)].map(
      ([, stack = "", id = "", type = ""]) => ({
        stack: stack.toLowerCase(),
        id,
        type,
      }),
    );
    expect(asked.length).toBeGreaterThan(10);
    for (const { stack, id, type } of asked) {
      const found = made.of(type).filter((one) => one.stack === stack && one.id.length === id.length + 8);
      expect(
        found.filter((one) => one.id.startsWith(id)),
        `${stack} ${id}`,
      ).toHaveLength(1);
    }
    const inLoops = [...PAGE.matchAll(/^for name in (.*); do$/gm)].flatMap(([, names = ""]) => names.split(" "));
    const logs = [...PAGE.matchAll(/`(\w+Logs)`/g)].map(([, id = ""]) => id);
    for (const id of [...inLoops, ...logs])
      expect(
        made.resources.some((one) => one.stack === "api" && one.id.replace(/[0-9A-F]{8}$/, "") === id),
        id,
      ).toBe(true);
  });

  test("finds secrets by descriptions that one alone has", () => {
    const asked = [...PAGE.matchAll(/\$\(secret (["'])(.+?)\1\)/g)].map(([, , text = ""]) => `Sallyport: ${text}`);
    expect(asked.length).toBeGreaterThanOrEqual(3);
    for (const text of asked)
      expect(
        made.of("AWS::SecretsManager::Secret").filter((one) => descriptionOf(one).startsWith(text)),
        text,
      ).toHaveLength(1);
  });

  test("tells of each secret that the stacks make, and raises generations that there are", () => {
    const raised = [...PAGE.matchAll(/`(\w+Generation)`/g)].map(([, name = ""]) => name);
    expect(SETTING_NAMES).toEqual(expect.arrayContaining(raised));
    expect(new Set(raised)).toEqual(new Set(SETTING_NAMES.filter((name) => name.endsWith("Generation"))));
    for (const kind of ["TLS certificate", "authority", "SSH host key", "token key", "masking key", "origin secret"])
      expect(PAGE).toContain(kind);
    expect(made.of("AWS::SecretsManager::Secret")).toHaveLength(6);
  });

  test("says the hours and seconds that the stacks and programs have", () => {
    const [task] = made.of("AWS::ECS::TaskDefinition");
    const container = task?.properties.ContainerDefinitions[0];
    const variables = container.Environment as { Name: string; Value: string }[];
    expect(variables).toContainEqual({ Name: ENVIRONMENT.protectionHours, Value: "2" });
    expect(PAGE).toMatch(/two hours without an idle/);
    expect(variables.map(({ Name }) => Name)).not.toContain(ENVIRONMENT.drainSeconds);
    expect(PAGE).toMatch(/up to 80 s/);
    expect(container.StopTimeout).toBe(120);
  });

  test("knows the messages of a task that does not start", () => {
    const sources = [
      "aws/program-secrets.ts",
      "aws/kms-signer.ts",
      "aws/configuration.ts",
      "gateway-task/main.ts",
      "aws/told.ts",
    ]
      .map((file) => readFileSync(file, "utf8"))
      .join("\n");
    for (const message of [
      "is missing",
      "is no text",
      'is not {"cert": PEM, "key": PEM, "ca": PEM}',
      "the gateway's certificate and its key are no pair",
      "the gateway failed",
      "is not made to sign",
      "is not a P-256 key",
      "no configuration has been published yet",
      "is not set.",
    ]) {
      expect(sources, message).toContain(message);
      expect(PAGE, message).toContain(message);
    }
  });
});

describe("docs/threat-model.md", () => {
  const page = readFileSync("docs/threat-model.md", "utf8");

  test("cites tests by names that they have", () => {
    const cited = [...page.matchAll(/`(test\/[\w./-]+)`: "([^"]+)"/g)];
    expect(cited.length).toBeGreaterThan(5);
    for (const [, file = "", name = ""] of cited) expect(readFileSync(file, "utf8"), file).toContain(`"${name}"`);
  });

  test("says of each threat what stays", () => {
    const tables = page.split(/^## Boundary: /m).slice(1);
    expect(tables).toHaveLength(5);
    for (const table of tables) expect(table).toMatch(/\| threat \| against it \| stays \|/);
  });
});

describe("docs/operating.md", () => {
  const page = readFileSync("docs/operating.md", "utf8");

  test("has each error code, with its SQLSTATE and its status, and no other", () => {
    const section = /^## Error codes$(.*?)^## /ms.exec(page)?.[1] ?? "";
    const rows = [...section.matchAll(/^\| (`[^|]+`) \| (\w{5}) \| (\d{3}) \|/gm)].flatMap(
      ([, codes = "", sqlstate, http]) =>
        [...codes.matchAll(/`([a-z-]+)`/g)].map(([, code]) => [code, { sqlstate, http: Number(http) }]),
    );
    expect(Object.fromEntries(rows)).toEqual(ERRORS);
  });

  test("has each option of serve, and its variable", () => {
    const serve = sallyport(true).commands.find((one) => one.name() === "serve");
    for (const { long, envVar } of serve?.options ?? []) {
      expect(page, long ?? "").toContain(`--${long?.slice(2)}`);
      if (envVar !== undefined && !long?.startsWith("--tls-")) expect(page).toContain(`\`${envVar}\``);
    }
  });
});
