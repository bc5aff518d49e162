import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { parseServices } from "../../core/config/services.ts";
import { sallyport } from "../../cli/program.ts";

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");
const BLOCKS = [...read("docs/services.md").matchAll(/^```(\w*)\n(.*?)^```$/gms)].map(([, language, text = ""]) => ({
  language,
  text,
}));
const EXAMPLES = BLOCKS.filter(({ language }) => language === "yaml").map(({ text }) => text);
const COMMANDS = BLOCKS.filter(({ language }) => language === "sh").flatMap(({ text }) =>
  [...text.matchAll(/sallyport (pass [^)\n]*)/g)].map(([, command = ""]) => command.trim()),
);

test("docs/services.md has an example of each kind, and each is a services.yaml that would be taken", () => {
  const parsed = EXAMPLES.map((text) => parseServices(parse(text)));
  expect(parsed.map(({ issuers, awsIdentities }) => [issuers.length, awsIdentities.length])).toEqual([
    [1, 0],
    [1, 0],
    [1, 0],
    [0, 2],
    [1, 0],
  ]);
});

test("the commands of docs/services.md are commands with those options", () => {
  expect(COMMANDS.length).toBeGreaterThan(3);
  const issue = sallyport(true)
    .commands.find((command) => command.name() === "pass")
    ?.commands.find((command) => command.name() === "issue");
  const options = new Set(issue?.options.map(({ long }) => long));
  for (const command of COMMANDS)
    for (const [option] of command.matchAll(/--[a-z-]+/g)) expect(options, command).toContain(option);
});

test("config/services.yaml as shipped trusts nobody, and what it shows is right once it is uncommented", () => {
  const shipped = read("config/services.yaml");
  expect(parseServices(parse(shipped))).toEqual({ issuers: [], awsIdentities: [] });
  const shown = shipped
    .replace("issuers: []", "issuers:")
    .replace("awsIdentities: []", "awsIdentities:")
    .replace(/^# {2}( *)(# |- |[a-zA-Z]+:)/gm, "  $1$2");
  const { issuers, awsIdentities } = parseServices(parse(shown));
  expect([issuers.length, awsIdentities.length]).toEqual([3, 2]);
});
