import { randomBytes, randomUUID } from "node:crypto";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { pino } from "pino";
import type { AuditRecord } from "../../../core/audit/account-events.ts";
import { SallyportError } from "../../../core/errors.ts";
import type { Principal, PrincipalId } from "../../../core/identity/principal.ts";
import { issueSessionToken } from "../../../core/identity/session-token.ts";
import type { TokenId } from "../../../core/ports/sign-in-store.ts";
import { configApp } from "../../../functions/config/app.ts";
import { fileConfigurationStore } from "../../../local/configuration-store.ts";

const BASE = "https://sallyport.example";
export const NOW = 1_800_000_000_000;

const person = (name: string, ...groups: string[]): Principal => ({
  kind: "user",
  id: `https://idp.example|${name}` as PrincipalId,
  name,
  groups,
});
export const ADMIN = person("dave", "platform");
export const ENGINEER = person("ana", "engineers", "admins-of-something-else");

/** The API of configurations over a folder, and what it has written down. */
export function installation() {
  const log = { down: false };
  const tokenKey = randomBytes(32);
  const audited: AuditRecord[] = [];
  const clock = (): number => NOW;
  const configurations = fileConfigurationStore(mkdtempSync(path.join(tmpdir(), "sallyport-configurations-")), clock);
  const app = configApp({
    baseUrl: BASE,
    tokenKey,
    signIns: { isSignedOut: async () => false, notBefore: async () => undefined },
    clock,
    configurations,
    admins: ["admins", "platform"],
    logger: pino({ level: "silent" }),
    audit: async (record) => {
      if (log.down) throw new SallyportError("store-unavailable", "the audit log is away");
      audited.push(record);
    },
    clientAddress: () => "192.0.2.7",
  });
  const ask = async (who: Principal, method: string, at: string, body?: unknown): Promise<Response> => {
    const token = await issueSessionToken({ issuer: BASE, key: tokenKey }, "cli", who, randomUUID() as TokenId, NOW);
    const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
    return app.request(at, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
  };
  return { app, configurations, audited, log, ask };
}
