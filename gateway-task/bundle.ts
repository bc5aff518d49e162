// Bundles the gateway task for its image: `node gateway-task/bundle.ts <folder>`.
import { copyFile, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { build, type Plugin } from "esbuild";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
/** What runs by itself: the task, and the threads that it starts. */
const ENTRY_POINTS = [
  "gateway-task/main.ts",
  "gateway-task/healthcheck.ts",
  "gateway-task/recorder/packer-worker.ts",
  "gateway-task/postgres/facts-worker.ts",
] as const;
/** Read at run time from beside the bundle. */
const WASM = [
  "@cedar-policy/cedar-wasm/nodejs/cedar_wasm_bg.wasm",
  "libpg-query/wasm/libpg-query.wasm",
  "tree-sitter-bash/tree-sitter-bash.wasm",
  "web-tree-sitter/web-tree-sitter.wasm",
] as const;
/** What packages in CommonJS find where Node runs them by themselves. */
const COMMON_JS = [
  `import { createRequire as __createRequire } from "node:module";`,
  `const require = __createRequire(import.meta.url);`,
  `const __filename = import.meta.filename;`,
  `const __dirname = import.meta.dirname;`,
].join("\n");

/**
 * How our sources name what stands elsewhere, and what it is called beside the bundle. A source that would name it in another way
 * is not found here and fails the bundling, by what must not be left over.
 */
const PLACES: readonly { readonly name: RegExp; readonly place: string }[] = [
  {
    name: /new URL\("(?:\.\/)?([\w-]+-worker)\.ts", import\.meta\.url\)/g,
    place: `new URL("./$1.js", import.meta.url)`,
  },
  { name: /createRequire\(import\.meta\.url\)\(("@xterm\/headless")\)/g, place: "require($1)" },
  {
    name: /new URL\(import\.meta\.resolve\("[\w/-]+\/([\w-]+\.wasm)"\)\)/g,
    place: `new URL("./$1", import.meta.url)`,
  },
];
const LEFT_OVER = /new Worker\(new URL\([^)]*\.ts"|import\.meta\.resolve\(|\bcreateRequire\(import\.meta\.url\)\(/;

const places: Plugin = {
  name: "places",
  setup: (bundling) => {
    bundling.onLoad({ filter: /\/(?:core|gateway-task|aws)\/.*\.ts$/ }, async ({ path: file }) => {
      if (file.includes("/node_modules/")) return undefined;
      let contents = await readFile(file, "utf8");
      for (const { name, place } of PLACES) contents = contents.replace(name, place);
      const left = LEFT_OVER.exec(contents);
      if (left !== null) return { errors: [{ text: `${file} names what the bundle does not have: ${left[0]}` }] };
      return { contents, loader: "ts" };
    });
  },
};

/**
 * Writes the bundle: a file for each entry point, the WebAssembly that they read, what was built natively of ssh2 where it was
 * built, and nothing else. The same sources and packages give the same bytes, wherever the folders are.
 * @param outdir is emptied first
 */
export async function bundleGatewayTask(outdir: string): Promise<void> {
  await rm(outdir, { recursive: true, force: true });
  await mkdir(outdir, { recursive: true });
  await build({
    absWorkingDir: ROOT,
    entryPoints: [...ENTRY_POINTS],
    entryNames: "[name]",
    assetNames: "[name]",
    outdir,
    bundle: true,
    platform: "node",
    target: "node24",
    format: "esm",
    minify: true, // also so that no path of the machine that bundled is left in it
    keepNames: true,
    legalComments: "linked",
    banner: { js: COMMON_JS },
    loader: { ".node": "copy" },
    external: ["pg-native"],
    plugins: [places],
    logLevel: "error",
    logOverride: { "require-resolve-not-external": "silent" },
  });
  for (const file of WASM)
    await copyFile(path.join(ROOT, "node_modules", file), path.join(outdir, path.basename(file)));
  await writeFile(path.join(outdir, "package.json"), `${JSON.stringify({ type: "module" })}\n`);
}

if (import.meta.main) {
  const [outdir] = process.argv.slice(2);
  if (outdir === undefined) throw new Error("say where to: node gateway-task/bundle.ts <folder>");
  await bundleGatewayTask(path.resolve(outdir));
}
