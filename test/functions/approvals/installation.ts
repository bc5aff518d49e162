import { randomBytes, randomUUID } from "node:crypto";
import { pino } from "pino";
import { auditTo } from "../../../core/audit/audit.ts";
import { issueMailToken } from "../../../core/approval/mail-token.ts";
import type { Principal } from "../../../core/identity/principal.ts";
import { issueSessionToken, type TokenUse } from "../../../core/identity/session-token.ts";
import type { HeldRequest } from "../../../core/ports/approval-desk.ts";
import type { Approval } from "../../../core/ports/approval-store.ts";
import type { TokenId } from "../../../core/ports/sign-in-store.ts";
import { approvalsApp } from "../../../functions/approvals/app.ts";
import type { ApprovalsDeps } from "../../../functions/approvals/deps.ts";
import type { ApprovalView } from "../../../functions/approvals/views.ts";
import { memoryAudit } from "../../setup/memory-audit.ts";
import { sqliteApprovalStore } from "../../../local/approval-store.ts";
import { openDatabase } from "../../../local/database.ts";
import { sqliteOutbox } from "../../../local/outbox.ts";
import { sqlitePeopleStore } from "../../../local/people-store.ts";
import { NOW, requested } from "../../setup/approvals.ts";

export const BASE = "http://127.0.0.1:8080";

/** The app over stores in memory, at a time that a test sets. */
export function installation(
  signIns: ApprovalsDeps["signIns"] = { isSignedOut: async () => false, notBefore: async () => undefined },
) {
  const db = openDatabase(":memory:");
  const approvals = sqliteApprovalStore(db);
  const people = sqlitePeopleStore(db);
  const outbox = sqliteOutbox(db, () => NOW);
  const tokenKey = randomBytes(32);
  const audit = memoryAudit();
  const log: string[] = [];
  const time = { now: NOW + 1 };
  const app = approvalsApp({
    baseUrl: BASE,
    tokenKey,
    signIns,
    clock: () => time.now,
    approvals,
    people,
    auditors: ["auditors"],
    outbox,
    audit: auditTo(audit, randomUUID),
    clientAddress: () => "192.0.2.7",
    logger: pino({ base: null }, { write: (line: string) => void log.push(line) }),
  });
  const authority = { issuer: BASE, key: tokenKey };
  const session = (who: Principal, use: TokenUse): Promise<string> =>
    issueSessionToken(authority, use, who, randomUUID() as TokenId, time.now);

  const ask = async (who: Principal, path: string, body?: object): Promise<Response> => {
    const headers = { authorization: `Bearer ${await session(who, "cli")}`, "content-type": "application/json" };
    return app.request(
      path,
      body === undefined ? { headers } : { method: "POST", headers, body: JSON.stringify(body) },
    );
  };
  return {
    app,
    approvals,
    people,
    outbox,
    audit,
    log,
    time,
    session,
    ask,
    /** A browser's request, with its session's cookie; with a form it is a POST from a page of ours. */
    async browse(who: Principal, path: string, form?: Record<string, string>, headers: Record<string, string> = {}) {
      const cookie = `sallyport=${await session(who, "web")}`;
      const common = { accept: "text/html", cookie, ...(form && { origin: BASE }), ...headers };
      const body = form && new URLSearchParams(form);
      return app.request(path, { headers: common, ...(body && { method: "POST", body }) });
    },
    async status(who: Principal, path: string, body?: object): Promise<number> {
      return (await ask(who, path, body)).status;
    },
    async json<T = ApprovalView>(who: Principal, path: string, body?: object): Promise<T> {
      const response = await ask(who, path, body);
      const text = await response.text();
      if (response.status !== 200) throw new Error(`${path}: ${response.status} ${text}`);
      return JSON.parse(text) as T;
    },
    async put(over: Partial<HeldRequest> = {}): Promise<Approval> {
      const approval = requested(over);
      await approvals.put(approval);
      return approval;
    },
    signIn: ({ id, name, groups }: Principal, email = name) =>
      people.signedIn({ id, name, email, groups, seenAt: time.now, freshUntil: time.now }),
    mailToken: (approval: Approval, email: string) =>
      issueMailToken(authority, approval, { id: undefined, email, name: email }),
  };
}
