// The gateway as its own process for measurements: `node bench/gateway-process.ts <directory> <json>`; prints one line of JSON.
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import path from "node:path";
import { createSecureContext } from "node:tls";
import { fileURLToPath } from "node:url";
import { pino } from "pino";
import { parse } from "yaml";
import { parseConnections } from "../core/config/connections.ts";
import { mintPass } from "../core/identity/pass.ts";
import type { PrincipalId } from "../core/identity/principal.ts";
import { sshFingerprint } from "../core/identity/ssh-key.ts";
import { approvalDesk } from "../core/approval/desk.ts";
import { parseMasking } from "../core/masking/config.ts";
import { loadPolicies } from "../core/policy/policy-set.ts";
import { UNGUARDED } from "../core/policy/unguarded.ts";
import { readPolicyFiles } from "../local/policy-files.ts";
import { startGateway } from "../gateway-task/gateway.ts";
import { newHostKey } from "../gateway-task/ssh/host-key.ts";
import { openLocalState } from "../local/state.ts";

import { BENCH_CONNECTION, BENCH_SSH_CONNECTION, type SshTarget } from "./gateway.ts";

interface Options {
  readonly target: { readonly host: string; readonly port: number; readonly database: string; readonly user: string };
  readonly ssh?: SshTarget;
  readonly tls?: { readonly cert: string; readonly key: string };
  readonly durability?: "intent" | "strict";
  /** With the default policies and masks of `config/`. */
  readonly guarded?: boolean;
}

const [directory = "", json = "{}"] = process.argv.slice(2);
const { target, ssh, tls, durability, guarded } = JSON.parse(json) as Options;
const { user, ...where } = target;
const state = await openLocalState(directory);
const connections = parseConnections({
  connections: {
    [BENCH_CONNECTION]: {
      protocol: "postgres",
      target: { ...where, tls: { mode: "disable" } },
      credentials: { user },
      access: ["bench"],
      durability: durability ?? "intent",
    },
    ...(ssh && {
      [BENCH_SSH_CONNECTION]: {
        protocol: "ssh",
        target: { host: ssh.host, port: ssh.port, hostKeys: [ssh.hostKey] },
        credentials: { user: ssh.user, key: { secret: "ssh" } },
        access: ["bench"],
        durability: durability ?? "intent",
      },
    }),
  },
});
const folder = fileURLToPath(new URL("../config", import.meta.url));
const texts = guarded ? await readPolicyFiles(path.join(folder, "policies")) : undefined;
const policies = texts ? loadPolicies(texts) : UNGUARDED;
const masking = guarded
  ? parseMasking(parse(readFileSync(path.join(folder, "masking.yaml"), "utf8")), randomBytes(32))
  : undefined;
const pass = mintPass(randomBytes);
const now = Date.now();
await state.passes.issue({
  principal: { kind: "service", id: "bench|bench" as PrincipalId, name: "bench", groups: ["bench"] },
  connection: undefined,
  label: "bench",
  issuedAt: now,
  expiresAt: now + 6 * 3600 * 1000,
  hash: pass.hash,
});
if (ssh) await letIn(ssh.clientKey);
const hostKey = newHostKey();
const gateway = await startGateway({
  ...state,
  secrets: { get: async () => (ssh ? readFileSync(ssh.keyFile, "utf8") : "") },
  task: `bench-${process.pid}`,
  connections: () => connections,
  policies: () => policies,
  masking: ({ name, environment }) => masking?.forConnection(name, environment),
  approvals: approvalDesk({
    store: state.approvalStore,
    clock: Date.now,
    random: randomBytes,
    link: (id) => id,
    tell: () => {},
    audit: async () => {}, // nothing is held here
  }),
  clock: Date.now,
  logger: pino({ level: process.env["LOG_LEVEL"] ?? "warn" }, pino.destination(path.join(directory, "gateway.log"))),
  postgres: {
    listen: { host: "127.0.0.1", port: 0 },
    tls: tls && createSecureContext({ cert: readFileSync(tls.cert), key: readFileSync(tls.key) }),
    plaintextOnLoopback: true,
  },
  ssh: ssh && {
    ...state,
    listen: { host: "127.0.0.1", port: 0 },
    hostKey: hostKey.privateKey,
    deviceLink: (userCode) => userCode,
  },
});
const sshPort = gateway.sshPort && { port: gateway.sshPort, hostKey: hostKey.publicKey };
console.log(JSON.stringify({ port: gateway.postgresPort, ssh: sshPort, pass: pass.text, pid: process.pid }));
process.on("SIGTERM", () => {
  void gateway.close(10_000).then(() => {
    state.close();
    process.exit(0);
  });
});

/** By a key that a person has registered, as engineers come by SSH. */
async function letIn(line: string): Promise<void> {
  const id = "bench|person" as PrincipalId;
  const fingerprint = sshFingerprint(Buffer.from(line.split(" ")[1] ?? "", "base64"));
  await state.people.signedIn({ id, name: "bench", email: undefined, groups: ["bench"], seenAt: now, freshUntil: now });
  await state.sshKeys.register({ fingerprint, type: "ssh-ed25519", owner: id, label: "bench", registeredAt: now });
}
