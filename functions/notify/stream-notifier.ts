import type { Logger } from "pino";
import { statusAt } from "../../core/approval/state.ts";
import { SallyportError } from "../../core/errors.ts";
import type { Addressee } from "../../core/approval/addressees.ts";
import type { Approval } from "../../core/ports/approval-store.ts";
import type { Mailer } from "../../core/ports/mailer.ts";
import type { SentMails } from "../../core/ports/sent-mails.ts";
import { causesOf } from "../shared/problem.ts";
import { type LetterDeps, type Letters, letters } from "./letters.ts";

export interface StreamNotifyDeps extends LetterDeps {
  readonly mailer: Mailer;
  readonly sent: SentMails;
}

export interface StreamNotifier {
  /**
   * Sends the approvers of a new request their mails, and resolves when all are handed over; each of them once, however often
   * this is called. Throws `mail-unavailable` or `store-unavailable` where some were not: then it is called again.
   */
  readonly tell: (approval: Approval) => Promise<void>;
}

/** Tells approvers from a function that is frozen as soon as it returns: nothing is left under way. */
export function streamNotifier(deps: StreamNotifyDeps): StreamNotifier {
  const written = letters(deps);
  return {
    tell: async (approval) => {
      if (statusAt(approval, deps.clock()) !== "requested") return;
      const failed: unknown[] = [];
      for (const addressee of await written.addressees(approval))
        await sendOnce(deps, written, approval, addressee).catch((thrown: unknown) => {
          tellFailure(deps.logger, approval, addressee, thrown);
          failed.push(thrown);
        });
      if (failed.length === 0) return;
      throw new SallyportError("mail-unavailable", `${failed.length} approvers could not be told`, {
        cause: failed[0],
      });
    },
  };
}

/** Noted after it is handed over: a function that ends in between sends it again, one that ends before has lost nothing. */
async function sendOnce(deps: StreamNotifyDeps, written: Letters, approval: Approval, to: Addressee): Promise<void> {
  const { sent, mailer, logger } = deps;
  if (await sent.wasSent(approval.id, to.email)) return;
  // Another may have decided while the mails before this one were sent, or since the batch first failed.
  if (!(await written.wanted(approval)) || !written.mayHaveMore(approval, to)) return;
  await mailer.send(await written.write(approval, to));
  await sent.noteSent(approval.id, to.email, approval.expiresAt);
  logger.info({ approval: approval.id, to: to.email }, "a mail was sent");
}

function tellFailure(logger: Logger, approval: Approval, to: Addressee, thrown: unknown): void {
  logger.warn({ approval: approval.id, to: to.email, causes: causesOf(thrown) }, "a mail could not be sent");
}
