// The set-up step of `npm test`: the programs that the tests drive. It runs on any Node from 20 on, before anything else is sure to work.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { JDBC_JAR } from "./jdbc/jar.js";

/** What the tests need, and the Debian package that brings it (pgbench comes with the server). What has a path need only be there. */
const NEEDED = {
  psql: "postgresql-client",
  pg_dump: "postgresql-client",
  pg_restore: "postgresql-client",
  pgbench: "postgresql",
  openssl: "openssl",
  javac: "default-jdk-headless",
  rsync: "rsync",
  tmux: "tmux",
  vim: "vim",
  htop: "htop",
  "ansible-playbook": "ansible-core",
  git: "git",
  "/usr/bin/scp": "openssh-client",
  "/usr/sbin/sshd": "openssh-server",
  "/usr/lib/openssh/sftp-server": "openssh-sftp-server",
  [JDBC_JAR]: "libpostgresql-jdbc-java",
};
/** What makes a program tell its version, where that is not `--version`. */
const VERSION_ARGUMENTS = { openssl: "version", tmux: "-V" };
/** Debian's server package makes and starts a cluster of its own unless this says no. */
const CLUSTER_SETTINGS = "/etc/postgresql-common/createcluster.conf";
/** Debian's packages ask it before they start what they bring: a machine that runs our tests has not asked for an SSH server. */
const START_POLICY = "/usr/sbin/policy-rc.d";
const START_NOTHING = "#!/bin/sh\nexit 101\n";
/** Another apt on the machine is waited for rather than tripped over. */
const LOCK_TIMEOUT_S = 120;

const missing = absent();
if (missing.length > 0) {
  const packages = [...new Set(missing.map((needed) => NEEDED[needed]))];
  if (!runs("apt-get", "--version") || process.getuid?.() !== 0) stop(missing, packages);
  install(packages);
  const still = absent();
  if (still.length > 0) stop(still, packages);
}

/** Debian's psql and its siblings are wrappers that exist before what they wrap: only running them tells. */
function absent() {
  return Object.keys(NEEDED).filter((needed) => !present(needed));
}

function present(needed) {
  if (needed === JDBC_JAR || needed.startsWith("/")) return existsSync(needed);
  return runs(needed, VERSION_ARGUMENTS[needed] ?? "--version");
}

function runs(program, argument) {
  return spawnSync(program, [argument], { stdio: "ignore" }).status === 0;
}

/** @param {string[]} packages */
function install(packages) {
  process.stderr.write(`Installing what the tests need: ${packages.join(" ")}\n`);
  const ours = !existsSync(CLUSTER_SETTINGS);
  if (ours) {
    mkdirSync(dirname(CLUSTER_SETTINGS), { recursive: true });
    writeFileSync(CLUSTER_SETTINGS, "create_main_cluster = false\n");
  }
  const asked = existsSync(START_POLICY);
  if (!asked) writeFileSync(START_POLICY, START_NOTHING, { mode: 0o755 });
  // A failing update (one source of several, say) need not matter; a failing install says why.
  apt("update", "-qq");
  apt("install", "-y", "-qq", "--no-install-recommends", ...packages);
  if (!asked) rmSync(START_POLICY);
  // The package's own file, which ucf put beside ours.
  if (ours && existsSync(`${CLUSTER_SETTINGS}.ucf-dist`)) {
    renameSync(`${CLUSTER_SETTINGS}.ucf-dist`, CLUSTER_SETTINGS);
  }
}

/** @param {string[]} args */
function apt(...args) {
  const options = ["-o", `DPkg::Lock::Timeout=${LOCK_TIMEOUT_S}`];
  const ran = spawnSync("apt-get", [...options, ...args], {
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
    encoding: "utf8",
  });
  if (ran.status !== 0) process.stderr.write(`apt-get ${args[0]}: ${ran.stdout ?? ""}${ran.stderr ?? ran.error}\n`);
}

/**
 * @param {string[]} needed
 * @param {string[]} packages
 */
function stop(needed, packages) {
  const debian = `apt-get update && apt-get install -y --no-install-recommends ${packages.join(" ")}`;
  const command =
    process.platform === "darwin"
      ? "brew install postgresql openssl openjdk tmux vim htop ansible"
      : `sudo sh -c '${debian}'`;
  const names = needed.map((name) => (name === JDBC_JAR ? `${name} (or where POSTGRESQL_JDBC_JAR says)` : name));
  process.stderr.write(`The tests need ${names.join(", ")}, not found here. Run:\n  ${command}\n`);
  process.exit(1);
}
