import { foldName } from "../../core/approval/same-person.ts";
import type { SentMails } from "../../core/ports/sent-mails.ts";

/** Marks in memory: on one machine a request is told of once, so that nothing but tests needs them. */
export function memorySentMails(): SentMails {
  const marks = new Set<string>();
  const key = (approval: string, email: string): string => JSON.stringify([approval, foldName(email)]);
  return {
    wasSent: async (approval, email) => marks.has(key(approval, email)),
    noteSent: async (approval, email) => void marks.add(key(approval, email)),
  };
}
