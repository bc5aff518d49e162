import type { Logger } from "pino";
import { type Addressee, addresseesOf } from "../../core/approval/addressees.ts";
import { issueMailToken } from "../../core/approval/mail-token.ts";
import { foldName } from "../../core/approval/same-person.ts";
import { statusAt } from "../../core/approval/state.ts";
import type { Directory } from "../../core/config/directory.ts";
import type { Approval, ApprovalStore } from "../../core/ports/approval-store.ts";
import type { Clock } from "../../core/ports/clock.ts";
import type { Mailer } from "../../core/ports/mailer.ts";
import type { PeopleStore } from "../../core/ports/people-store.ts";
import { causesOf } from "../shared/problem.ts";
import { siteOf } from "../shared/site.ts";
import { approvalMail } from "./mail.ts";
import { mailQueue } from "./mail-queue.ts";

/** A mailbox gets no more than this in that time: the rest waits in the list of approvals. */
const MAX_MAILS = 60;
const WINDOW_MS = 10 * 60 * 1000;

export interface NotifyDeps {
  readonly baseUrl: string;
  readonly tokenKey: Uint8Array;
  readonly approvals: Pick<ApprovalStore, "get">;
  readonly people: Pick<PeopleStore, "inGroup" | "withEmail">;
  /** As of now: asked for every request. */
  readonly directory: () => Directory;
  readonly mailer: Mailer;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface Notifier {
  /** Sends the approvers their mails; returns at once and never throws. What fails is logged and tried again. */
  readonly tell: (approval: Approval) => void;
  readonly close: () => Promise<void>;
}

/** Tells the members of the asked groups by mail. Throws `configuration-invalid` for a base URL that cannot be trusted. */
export function notifier(deps: NotifyDeps): Notifier {
  const { clock, logger } = deps;
  const { origin } = siteOf(deps.baseUrl);
  const queue = mailQueue(deps.mailer, clock, logger);
  const mayHaveMore = ration(clock);

  const wanted = async (approval: Approval): Promise<boolean> => {
    const found = await deps.approvals.get(approval.id);
    return found !== undefined && statusAt(found, clock()) === "requested";
  };
  const write = async (approval: Approval, addressee: Addressee): Promise<void> => {
    const token = await issueMailToken({ issuer: origin, key: deps.tokenKey }, approval, addressee);
    const mail = await approvalMail(approval, addressee, `${origin}/approvals/by-mail?token=${token}`);
    queue.add({ mail, about: approval.id, until: approval.expiresAt, wanted: () => wanted(approval) });
  };
  const tellAll = async (approval: Approval): Promise<void> => {
    const asked = await addresseesOf(deps.people, deps.directory(), approval, clock());
    if (asked.length === 0)
      logger.warn({ approval: approval.id, consents: approval.consents }, "nobody with an address can be asked");
    for (const addressee of asked) {
      if (mayHaveMore(addressee)) await write(approval, addressee);
      else logger.warn({ approval: approval.id, to: addressee.email }, "a mail is not sent: this mailbox has had many");
    }
  };
  return {
    tell: (approval) => {
      tellAll(approval).catch((thrown: unknown) => {
        logger.error({ approval: approval.id, causes: causesOf(thrown) }, "approvers could not be told");
      });
    },
    close: queue.close,
  };
}

/** Counts the mails of each mailbox, in windows of time. */
function ration(clock: Clock): (addressee: Addressee) => boolean {
  let from = 0;
  const sent = new Map<string, number>();
  return ({ email }) => {
    if (clock() - from >= WINDOW_MS) {
      from = clock();
      sent.clear();
    }
    const key = foldName(email);
    const before = sent.get(key) ?? 0;
    sent.set(key, before + 1);
    return before < MAX_MAILS;
  };
}
