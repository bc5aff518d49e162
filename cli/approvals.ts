import { randomBytes } from "node:crypto";
import type { Context, Hono } from "hono";
import type { Audit } from "../core/audit/audit.ts";
import { approvalDesk } from "../core/approval/desk.ts";
import type { ApprovalDesk } from "../core/ports/approval-desk.ts";
import type { Outbox } from "../core/ports/outbox.ts";
import { approvalsApp } from "../functions/approvals/app.ts";
import { notifier } from "../functions/notify/notifier.ts";
import type { AuthenticatedEnv } from "../functions/shared/authenticated.ts";
import type { Configuration } from "../core/config/configuration.ts";
import { smtpMailer } from "../local/smtp-mailer.ts";
import type { LocalState } from "../local/state.ts";
import type { ServeOptions } from "./serve.ts";

interface ApprovalParts {
  readonly options: Pick<ServeOptions, "mail" | "logger">;
  readonly state: LocalState;
  readonly configuration: Pick<Configuration, "directory">;
  readonly auditors: readonly string[];
  readonly url: string;
  readonly key: Uint8Array;
  readonly audit: Audit;
  clientAddress(c: Context): string;
}

export interface Approvals {
  /** What the gateway holds statements by. */
  readonly desk: ApprovalDesk;
  /** Pages and API. */
  readonly app: Hono<AuthenticatedEnv>;
  /** The mails that were kept, where there is no mail server. */
  readonly outbox: Outbox | undefined;
  /** Nobody waits any more, and no mail goes out. */
  readonly close: () => Promise<void>;
}

/** Approvals on one machine: the desk, who tells the approvers, and where they decide. Throws `configuration-invalid`. */
export function composeApprovals(parts: ApprovalParts): Approvals {
  const { options, state, configuration, auditors, url, key, audit } = parts;
  const { mail, logger } = options;
  const outbox = mail === undefined ? state.outbox : undefined;
  const common = { baseUrl: url, tokenKey: key, clock: Date.now, logger, approvals: state.approvalStore };
  const { people, signIns } = state;
  const mailer = mail === undefined ? state.outbox : smtpMailer(mail);
  const told = notifier({ ...common, people, mailer, directory: configuration.directory });
  const desk = approvalDesk({
    store: state.approvalStore,
    clock: Date.now,
    random: randomBytes,
    link: (id) => `${url}/approvals/${id}`,
    tell: told.tell,
    audit,
  });
  const app = approvalsApp({
    ...common,
    people,
    signIns,
    auditors,
    outbox,
    audit,
    clientAddress: (c) => parts.clientAddress(c),
  });
  const close = async (): Promise<void> => {
    desk.close();
    await told.close();
  };
  return { desk, app, outbox, close };
}
