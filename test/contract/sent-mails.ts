import { randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import type { ApprovalId } from "../../core/ports/approval-desk.ts";
import type { SentMails } from "../../core/ports/sent-mails.ts";

const UNTIL = 1_800_000_000_000;
const approval = (): ApprovalId => randomBytes(16).toString("base64url") as ApprovalId;

/** What every SentMails promises. */
export function sentMailsContract(adapter: string, make: () => Promise<SentMails>): void {
  describe(`SentMails on ${adapter}`, () => {
    test("knows of a mail once it is noted, however often, and however its address is written", async () => {
      const marks = await make();
      const id = approval();
      expect(await marks.wasSent(id, "Bob@shop.example")).toBe(false);
      for (const _ of [1, 2]) await marks.noteSent(id, "Bob@shop.example", UNTIL);
      for (const email of ["Bob@shop.example", "bob@shop.example", "BOB@SHOP.EXAMPLE"])
        expect(await marks.wasSent(id, email)).toBe(true);
    });

    test("takes no mail for another's, nor for one about another request", async () => {
      const marks = await make();
      const [one, other] = [approval(), approval()];
      await marks.noteSent(one, "bob@shop.example", UNTIL);
      expect(await marks.wasSent(other, "bob@shop.example")).toBe(false);
      for (const email of ["", "bob@shop", "erin@shop.example", "bob@shop.example#", "ünï@shop.example"])
        expect(await marks.wasSent(one, email), email).toBe(false);
    });
  });
}
