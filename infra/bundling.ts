import { copyFileSync, mkdirSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { type BuildOptions, buildSync, type Metafile } from "esbuild";

const ROOT = path.resolve(import.meta.dirname, "..");

/** What a file of WebAssembly is found by: the package, and the file in it. */
type WasmFile = readonly [entry: string, file: string];

/** Cedar's validator, read beside the bundle by `@cedar-policy/cedar-wasm/nodejs`. */
const CEDAR: WasmFile = ["@cedar-policy/cedar-wasm/nodejs", "cedar_wasm_bg.wasm"];

interface FunctionEntry {
  /** From the root of the repository. Each exports `handler`. */
  readonly entry: string;
  /** What lies beside the bundle, since its library reads it from there. */
  readonly wasm: readonly WasmFile[];
}

/** Every function of ours: infra makes one of each, bench and tests build them. */
export const FUNCTIONS = {
  auth: { entry: "functions/auth/handler.ts", wasm: [] },
  approvals: { entry: "functions/approvals/handler.ts", wasm: [] },
  replay: { entry: "functions/replay/handler.ts", wasm: [] },
  notify: { entry: "functions/notify/handler.ts", wasm: [] },
  config: { entry: "functions/config/handler.ts", wasm: [CEDAR] },
  /** The custom resource by which `cdk deploy` publishes the folder that was deployed with it. */
  configDeployed: { entry: "functions/config/handlers/deployed.ts", wasm: [CEDAR] },
  audit: { entry: "functions/audit/handler.ts", wasm: [] },
  /** The custom resource that makes the secrets that a deployment has none of yet. */
  deploySecrets: { entry: "functions/deploy-secrets/handler.ts", wasm: [] },
  scheduled: { entry: "functions/scheduled/handler.ts", wasm: [] },
} as const satisfies Record<string, FunctionEntry>;

export type FunctionName = keyof typeof FUNCTIONS;

/** The largest bundle that is loaded without being felt; those with WebAssembly have more. Bytes. */
export const MAX_BUNDLE_BYTES = 1_000_000;

/** The file in the asset, and what Lambda calls the function in it. */
export const BUNDLE_FILE = "index.mjs";
export const HANDLER = "index.handler";

/**
 * What a CommonJS module inside a bundle of ESM still asks for: `require` of node's own modules, and where it lies.
 * The names are not those that a bundled module could declare at its top.
 */
const BANNER = [
  'import { createRequire as sallyportRequire } from "node:module";',
  "const require = sallyportRequire(import.meta.url);",
  "const __filename = import.meta.filename;",
  "const __dirname = import.meta.dirname;",
].join("\n");

/**
 * How every function is bundled. Nothing is left to the runtime but node's own modules: which version of the SDK Lambda brings
 * changes without us. `module` before `main`, since the SDK's CommonJS cannot be tree-shaken.
 */
const BUNDLING = {
  bundle: true,
  platform: "node",
  target: "node24",
  format: "esm",
  minify: true,
  treeShaking: true,
  mainFields: ["module", "main"],
  conditions: ["module"],
  banner: { js: BANNER },
  charset: "utf8",
  legalComments: "none",
  sourcemap: false,
  logLevel: "warning",
} as const satisfies BuildOptions;

export interface Bundle {
  readonly folder: string;
  /** Of the script with all that it loads when it starts, in bytes. */
  readonly bytes: number;
  /** Of what it may load later (`import()`): readers of XML where somebody signs in by SAML. */
  readonly laterBytes: number;
  /** Every file that went into what is loaded at the start, and something of which is still in it: path from the root, and bytes. */
  readonly inputs: ReadonlyMap<string, number>;
}

/**
 * Builds one function into a folder, ready to be an asset: `index.mjs`, and the WebAssembly that it reads.
 * Synchronous, as constructs are. Throws esbuild's error where the source cannot be bundled.
 */
export function bundleFunction(name: FunctionName, folder: string): Bundle {
  const { entry, wasm }: FunctionEntry = FUNCTIONS[name];
  mkdirSync(folder, { recursive: true });
  const { metafile } = buildSync({
    ...BUNDLING,
    absWorkingDir: ROOT,
    entryPoints: { [path.parse(BUNDLE_FILE).name]: entry },
    outdir: folder,
    outExtension: { ".js": ".mjs" },
    splitting: true,
    chunkNames: "part-[hash]",
    alias: { zod: path.join(ROOT, "infra/zod-for-bundles.js") },
    metafile: true,
  });
  for (const [of, file] of wasm) copyFileSync(path.join(path.dirname(resolveFrom(of)), file), path.join(folder, file));
  const started = startedWith(metafile.outputs, path.relative(ROOT, path.join(folder, BUNDLE_FILE)));
  const sizeOf = (files: readonly string[]): number =>
    files.reduce((sum, file) => sum + (metafile.outputs[file]?.bytes ?? 0), 0);
  const bytes = sizeOf(started);
  return {
    folder,
    bytes,
    laterBytes: sizeOf(Object.keys(metafile.outputs)) - bytes,
    inputs: new Map(started.flatMap((file) => inputsOf(metafile.outputs[file]))),
  };
}

type Outputs = Metafile["outputs"];

/** A script, and what it imports by statements. */
function startedWith(outputs: Outputs, file: string, seen = new Set<string>()): string[] {
  if (seen.has(file)) return [];
  seen.add(file);
  const next = outputs[file]?.imports.filter(({ kind, external }) => kind === "import-statement" && !external) ?? [];
  return [file, ...next.flatMap((one) => startedWith(outputs, one.path, seen))];
}

function inputsOf(output: Outputs[string] | undefined): [string, number][] {
  return Object.entries(output?.inputs ?? {})
    .map(([file, { bytesInOutput }]): [string, number] => [file, bytesInOutput])
    .filter(([, bytes]) => bytes > 0);
}

function resolveFrom(specifier: string): string {
  return createRequire(import.meta.url).resolve(specifier);
}
