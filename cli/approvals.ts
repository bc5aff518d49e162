import { randomBytes } from "node:crypto";
import { approvalDesk } from "../core/approval/desk.ts";
import { parseDirectory } from "../core/config/directory.ts";
import type { ApprovalDesk } from "../core/ports/approval-desk.ts";
import { notifier } from "../functions/notify/notifier.ts";
import { smtpMailer } from "../local/smtp-mailer.ts";
import type { LocalState } from "../local/state.ts";
import { watchYaml } from "../local/watched-file.ts";
import type { ServeOptions } from "./serve.ts";

interface ApprovalParts {
  readonly options: Pick<ServeOptions, "config" | "mail" | "logger">;
  readonly state: LocalState;
  readonly url: string;
  readonly key: Uint8Array;
}

export interface Approvals {
  /** What the gateway holds statements by. */
  readonly desk: ApprovalDesk;
  /** Nobody waits any more, and no mail goes out. */
  readonly close: () => Promise<void>;
}

/** Approvals on one machine: the desk, and who tells the approvers. Throws `configuration-invalid`. */
export async function composeApprovals({ options, state, url, key }: ApprovalParts): Promise<Approvals> {
  const { config, mail, logger } = options;
  const mailer = mail === undefined ? state.outbox : smtpMailer(mail);
  const directory = await watchYaml(config, "directory.yaml", { read: parseDirectory, empty: { people: [] }, logger });
  const told = notifier({
    baseUrl: url,
    tokenKey: key,
    approvals: state.approvalStore,
    people: state.people,
    directory: directory.current,
    mailer,
    clock: Date.now,
    logger,
  });
  const desk = approvalDesk({
    store: state.approvalStore,
    clock: Date.now,
    random: randomBytes,
    link: (id) => `${url}/approvals/${id}`,
    tell: told.tell,
  });
  const close = async (): Promise<void> => {
    desk.close();
    directory.close();
    await told.close();
  };
  return { desk, close };
}
