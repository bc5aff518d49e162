import { SendEmailCommand, type SESv2Client } from "@aws-sdk/client-sesv2";
import { SallyportError } from "../core/errors.ts";
import { isMailAddress } from "../core/identity/mail-address.ts";
import { encodedWords } from "../core/mail/encoded-words.ts";
import type { Mail, Mailer } from "../core/ports/mailer.ts";
import { answered } from "./answered.ts";

/** A mail that is later is tried again by whoever queues it. */
const SEND_DEADLINE_MS = 10_000;
/** SES refuses an address that has more with its name (SendEmail, Destination). */
const MAX_MAILBOX = 320;
const UTF8 = "UTF-8";

export interface SesMailerOptions {
  readonly client: SESv2Client;
  /** The address that mails come from; SES must have verified it or its domain. */
  readonly from: string;
}

/** Mail by SES. Throttles, a sandbox's refusals and outages alike are `mail-unavailable`. Throws `configuration-invalid`. */
export function sesMailer({ client, from }: SesMailerOptions): Mailer {
  if (!isMailAddress(from))
    throw new SallyportError("configuration-invalid", "mail must come from an e-mail address", {
      hint: "Set SALLYPORT_MAIL_FROM to an address that SES has verified, or that is of a domain it has.",
    });
  return {
    send: (mail) =>
      answered(
        "send a mail",
        async (abortSignal) => {
          await client.send(commandFor(from, mail), { abortSignal });
        },
        { code: "mail-unavailable", deadlineMs: SEND_DEADLINE_MS },
      ),
  };
}

function commandFor(from: string, { to, subject, text, html }: Mail): SendEmailCommand {
  return new SendEmailCommand({
    FromEmailAddress: `Sallyport <${from}>`,
    Destination: { ToAddresses: [mailbox(to)] },
    Content: {
      Simple: {
        Subject: { Data: headerText(subject), Charset: UTF8 },
        Body: { Text: { Data: text, Charset: UTF8 }, Html: { Data: html, Charset: UTF8 } },
        // Neither an absence note nor a delivery loop in answer (RFC 3834 §5).
        Headers: [
          { Name: "Auto-Submitted", Value: "auto-generated" },
          { Name: "X-Auto-Response-Suppress", Value: "All" },
        ],
      },
    },
  });
}

/** SES encodes what is not ASCII. What would break the line, or already looks encoded, is encoded before it gets there. */
function headerText(text: string): string {
  return /=\?|\p{Cc}/u.test(text) ? encodedWords(text, " ") : text;
}

/** Name and address; the name as encoded words, in which nothing reads as an address. */
function mailbox({ name, email }: Mail["to"]): string {
  if (!isMailAddress(email)) throw new SallyportError("mail-unavailable", "a mail is for no e-mail address");
  const named = `${encodedWords(name, " ")} <${email}>`;
  return name === "" || named.length > MAX_MAILBOX ? email : named;
}
