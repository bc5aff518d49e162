// Builds ssh2's ciphers for the Node that runs Sallyport: npm builds them for the Node that runs npm, and ssh2 then falls back to
// slower ones without a word. Without a compiler that is what happens; nothing else depends on it.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const headers = process.env.SALLYPORT_NODE_HEADERS ?? `${root}node_modules/node-${process.platform}-${process.arch}`;
const built = `${root}node_modules/ssh2/lib/protocol/crypto/build`;
const addon = `${built}/Release/sshcrypto.node`;
const slower = (why) => process.stderr.write(`ssh2's fast ciphers could not be built; SSH will be slower.\n${why}\n`);

if (existsSync(`${headers}/include`)) {
  const ran = spawnSync("npm", ["rebuild", "ssh2", `--nodedir=${headers}`], {
    cwd: root,
    encoding: "utf8",
    env: { ...process.env, CXXFLAGS: `${process.env.CXXFLAGS ?? ""} -include ${root}bin/object-wrap.h` },
  });
  // The package's own script ends well where the compiler failed.
  if (ran.status !== 0 || !existsSync(addon)) slower(ran.stderr);
}

// Whoever has built it: with Node's own ObjectWrap it would abort the process some day (object-wrap.h).
if (existsSync(addon) && readFileSync(addon).includes("RemoveEnvironmentCleanupHook")) {
  rmSync(built, { recursive: true });
  slower("What was built would abort the process when garbage is collected.");
}
