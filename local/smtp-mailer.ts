import { createTransport } from "nodemailer";
import { SallyportError } from "../core/errors.ts";
import { isMailAddress } from "../core/identity/mail-address.ts";
import { encodedWords } from "../core/mail/encoded-words.ts";
import type { Mailer } from "../core/ports/mailer.ts";

/** A mail server that is slower is tried again later. */
const TIMEOUT_MS = 10_000;
const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;
const PORTS = { "smtp:": 587, "smtps:": 465 } as const;

export interface SmtpOptions {
  /** `smtp://host:port`, which is turned to TLS before anything is said, or `smtps://…`; with a user name where one is needed. */
  readonly url: string;
  readonly password: string | undefined;
  /** The address that mails come from. */
  readonly from: string;
}

/** Mail by SMTP (RFC 5321). TLS is demanded and verified but for a server on loopback. Throws `configuration-invalid`. */
export function smtpMailer(options: SmtpOptions): Mailer {
  const { url, secure, plain } = checked(options);
  const transport = createTransport({
    host: url.hostname.replace(/^\[|\]$/g, ""),
    port: url.port === "" ? PORTS[url.protocol as keyof typeof PORTS] : Number(url.port),
    secure,
    requireTLS: !secure && !plain,
    ignoreTLS: plain,
    ...(url.username !== "" && {
      auth: { user: decodeURIComponent(url.username), pass: options.password ?? "" },
    }),
    connectionTimeout: TIMEOUT_MS,
    greetingTimeout: TIMEOUT_MS,
    socketTimeout: TIMEOUT_MS,
    dnsTimeout: TIMEOUT_MS,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  return {
    send: async ({ to, subject, text, html }) => {
      try {
        await transport.sendMail({
          from: { name: "Sallyport", address: options.from },
          to: { name: to.name, address: to.email },
          text,
          html,
          // Neither an absence note nor a delivery loop in answer (RFC 3834 §5).
          headers: {
            Subject: { prepared: true, value: encodedWords(subject, "\r\n ") },
            "Auto-Submitted": "auto-generated",
            "X-Auto-Response-Suppress": "All",
          },
        });
      } catch (cause) {
        throw new SallyportError("mail-unavailable", "the mail server did not take the mail", { cause });
      }
    },
  };
}

function checked({ url: text, password, from }: SmtpOptions): { url: URL; secure: boolean; plain: boolean } {
  const url = URL.parse(text);
  const invalid = (message: string): SallyportError => new SallyportError("configuration-invalid", message);
  if (!url || !(url.protocol in PORTS) || url.hostname === "" || !["", "/"].includes(url.pathname) || url.search)
    throw invalid("the mail server must be smtp://host:port or smtps://host:port");
  if (url.password !== "") throw invalid("the mail server's password does not belong into its address");
  if (url.username !== "" && !password) throw invalid("the mail server's user has no password");
  if (!isMailAddress(from)) throw invalid("mail must come from an e-mail address");
  const secure = url.protocol === "smtps:";
  return { url, secure, plain: !secure && LOOPBACK.test(url.hostname) };
}
