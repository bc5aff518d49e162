import { buildSync } from "esbuild";
import { readFileSync } from "node:fs";
import { ENVIRONMENT } from "../../aws/environment.ts";

type Name = keyof typeof ENVIRONMENT;

/** A member of a shape that `told` reads, such as `signingKey: arnOf("kms"),`, or what is read by itself. */
const MEMBER = /^\s+(\w+): (?:arnOf\(|resourceName|origin|groups|text|name\b|senderAddress)[^\n]*/gm;
const BY_ITSELF = /(?:demanded|required)\((?:ENVIRONMENT\.)?"?(\w+)"?\)/g;

/** The variables without which an entry point does not start, found in the source of all that it imports of ours. */
export function demandedBy(entry: string): string[] {
  const { metafile } = buildSync({
    entryPoints: [entry],
    bundle: true,
    write: false,
    metafile: true,
    packages: "external",
    platform: "node",
    format: "esm",
    outdir: "nowhere",
    logLevel: "silent",
  });
  const files = Object.keys(metafile.inputs).filter((file) => file !== "aws/environment.ts");
  const sources = files.map((file) => readFileSync(file, "utf8"));
  const names = sources
    .filter((source) => isAsked(source, sources))
    .flatMap((source) => {
      const members = [...source.matchAll(MEMBER)].filter(([line]) => !/\.(optional|default)\(/.test(line));
      return [...members, ...source.matchAll(BY_ITSELF)].map(([, name]) => name ?? "");
    });
  return [...new Set(names.filter(isName).map((name) => ENVIRONMENT[name]))].toSorted();
}

/** What is imported for something else asks for nothing: a function that nobody calls, such as `apiSettings` in a function of events. */
function isAsked(source: string, sources: readonly string[]): boolean {
  const asking = [...source.matchAll(/^export (?:async )?function (\w+)\([^]*?^}/gm)].filter(([text]) =>
    /\btold\(/.test(text),
  );
  if (asking.length === 0) return true;
  return asking.some(([, name]) => sources.some((other) => other !== source && other.includes(`${name}(`)));
}

function isName(name: string): name is Name {
  return name in ENVIRONMENT;
}
