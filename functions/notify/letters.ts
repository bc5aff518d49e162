import type { Logger } from "pino";
import { type Addressee, addresseesOf } from "../../core/approval/addressees.ts";
import { issueMailToken } from "../../core/approval/mail-token.ts";
import { foldName } from "../../core/approval/same-person.ts";
import { statusAt } from "../../core/approval/state.ts";
import type { Directory } from "../../core/config/directory.ts";
import type { Approval, ApprovalStore } from "../../core/ports/approval-store.ts";
import type { Clock } from "../../core/ports/clock.ts";
import type { Mail } from "../../core/ports/mailer.ts";
import type { PeopleStore } from "../../core/ports/people-store.ts";
import { siteOf } from "../shared/site.ts";
import { approvalMail } from "./mail.ts";

/** A mailbox gets no more than this in that time: the rest waits in the list of approvals. */
const MAX_MAILS = 60;
const WINDOW_MS = 10 * 60 * 1000;

export interface LetterDeps {
  readonly baseUrl: string;
  readonly tokenKey: Uint8Array;
  readonly approvals: Pick<ApprovalStore, "get">;
  readonly people: Pick<PeopleStore, "inGroup" | "withEmail">;
  /** As of now: asked for every request. */
  readonly directory: () => Directory;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** What is written to whom of an approval, whoever sends it and however. */
export interface Letters {
  /** Whom to tell. Nobody is logged. */
  addressees(approval: Approval): Promise<readonly Addressee[]>;
  /** Counts against the mailbox; false, and logged, for one that has had many. */
  mayHaveMore(approval: Approval, addressee: Addressee): boolean;
  write(approval: Approval, addressee: Addressee): Promise<Mail>;
  /** Is there still a reason to send it? */
  wanted(approval: Approval): Promise<boolean>;
}

/** Throws `configuration-invalid` for a base URL that cannot be trusted. */
export function letters(deps: LetterDeps): Letters {
  const { clock, logger } = deps;
  const { origin } = siteOf(deps.baseUrl);
  const within = ration(clock);
  return {
    addressees: async (approval) => {
      const asked = await addresseesOf(deps.people, deps.directory(), approval, clock());
      if (asked.length === 0)
        logger.warn({ approval: approval.id, consents: approval.consents }, "nobody with an address can be asked");
      return asked;
    },
    mayHaveMore: (approval, addressee) => {
      const may = within(addressee);
      if (!may)
        logger.warn({ approval: approval.id, to: addressee.email }, "a mail is not sent: this mailbox has had many");
      return may;
    },
    write: async (approval, addressee) => {
      const token = await issueMailToken({ issuer: origin, key: deps.tokenKey }, approval, addressee);
      return approvalMail(approval, addressee, `${origin}/approvals/by-mail?token=${token}`);
    },
    wanted: async (approval) => {
      const found = await deps.approvals.get(approval.id);
      return found !== undefined && statusAt(found, clock()) === "requested";
    },
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
