import type { Approval } from "../../core/ports/approval-store.ts";
import type { Mailer } from "../../core/ports/mailer.ts";
import { causesOf } from "../shared/problem.ts";
import { type LetterDeps, letters } from "./letters.ts";
import { mailQueue } from "./mail-queue.ts";

export interface NotifyDeps extends LetterDeps {
  readonly mailer: Mailer;
}

export interface Notifier {
  /** Sends the approvers their mails; returns at once and never throws. What fails is logged and tried again. */
  readonly tell: (approval: Approval) => void;
  readonly close: () => Promise<void>;
}

/**
 * Tells the members of the asked groups by mail, from a process that goes on. Where one is stopped between two events,
 * `stream-notifier.ts` waits for what it sends. Throws `configuration-invalid` for a base URL that cannot be trusted.
 */
export function notifier(deps: NotifyDeps): Notifier {
  const { clock, logger } = deps;
  const written = letters(deps);
  const queue = mailQueue(deps.mailer, clock, logger);
  const tellAll = async (approval: Approval): Promise<void> => {
    for (const addressee of await written.addressees(approval)) {
      if (!written.mayHaveMore(approval, addressee)) continue;
      const mail = await written.write(approval, addressee);
      queue.add({ mail, about: approval.id, until: approval.expiresAt, wanted: () => written.wanted(approval) });
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
