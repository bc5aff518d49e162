import { describe, expect, it } from "vitest";
import type { Mail, Mailer } from "../../core/ports/mailer.ts";

/** A mail as it arrived, decoded. */
export interface Received {
  /** The mailboxes that the medium delivers it to. */
  readonly recipients: readonly string[];
  readonly subject: string;
  readonly text: string;
  readonly html: string;
}

export interface MailerUnderTest {
  readonly mailer: Mailer;
  received(): Promise<Received[]>;
  /** From now on nothing can be sent. */
  fail(): Promise<void>;
  close(): Promise<void>;
}

const mail = (over: Partial<Mail> = {}): Mail => ({
  to: { name: "Bob", email: "bob@shop.example" },
  subject: "Consent needed",
  text: "line one\nline two\n",
  html: "<p>one</p>\n",
  ...over,
});

/** What every Mailer promises. @param make one that works, and nothing sent yet */
export function mailerContract(name: string, make: () => Promise<MailerUnderTest>): void {
  describe(`a mailer (${name})`, () => {
    it.each([
      ["plain", {}],
      [
        "letters of many scripts",
        { subject: "Zustimmung nötig: 日本語 🙂", text: "ünï ✓ 🙂\n", html: "<p>ünï 🙂</p>\n" },
      ],
      [
        "long lines",
        {
          subject: "naïve ".repeat(40).trim(),
          text: `${"x".repeat(5_000)}\n`,
          html: `<pre>${"y ".repeat(3_000)}</pre>\n`,
        },
      ],
      ["lines that SMTP means something by", { text: ".\n..\nQUIT\n.\r\n\nFrom me\n" }],
      ["what looks like encoding", { subject: "=?utf-8?Q?=41?= =41", text: "=41 =\n=3D\n" }],
    ])("delivers it to the last character: %s", async (_what, over) => {
      const test = await make();
      const sent = mail(over);
      await test.mailer.send(sent);
      const [arrived, ...more] = await test.received();
      expect(more).toEqual([]);
      const lines = (text: string): string => text.replaceAll("\r\n", "\n").trimEnd();
      expect(arrived).toMatchObject({ recipients: ["bob@shop.example"], subject: sent.subject });
      expect(lines(arrived?.text ?? "")).toBe(lines(sent.text));
      expect(lines(arrived?.html ?? "")).toBe(lines(sent.html));
      await test.close();
    });

    it.each([
      { to: { name: 'Eve", eve@else.example <eve@else.example>', email: "bob@shop.example" } },
      { to: { name: "Bob\r\nBcc: eve@else.example", email: "bob@shop.example" } },
      { subject: "Hello\r\nBcc: eve@else.example\r\n\r\nbody" },
    ])("goes to its addressee alone, whatever name or subject say: %j", async (over) => {
      const test = await make();
      await test.mailer.send(mail(over));
      expect((await test.received()).map(({ recipients }) => recipients)).toEqual([["bob@shop.example"]]);
      await test.close();
    });

    it("says so when it cannot send", async () => {
      const test = await make();
      await test.fail();
      await expect(test.mailer.send(mail())).rejects.toMatchObject({ code: "mail-unavailable" });
      await test.close();
    });
  });
}
