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
  const sources = Object.keys(metafile.inputs).filter((file) => file !== "aws/environment.ts");
  const names = sources.flatMap((file) => {
    const source = readFileSync(file, "utf8");
    const members = [...source.matchAll(MEMBER)].filter(([line]) => !/\.(optional|default)\(/.test(line));
    return [...members, ...source.matchAll(BY_ITSELF)].map(([, name]) => name ?? "");
  });
  return [...new Set(names.filter(isName).map((name) => ENVIRONMENT[name]))].toSorted();
}

function isName(name: string): name is Name {
  return name in ENVIRONMENT;
}
