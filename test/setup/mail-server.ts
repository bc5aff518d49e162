import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { SMTPServer, type SMTPServerOptions } from "smtp-server";

export interface RawMail {
  readonly from: string;
  readonly recipients: readonly string[];
  readonly user: string | undefined;
  readonly secure: boolean;
  readonly source: string;
}

export interface MailServer {
  readonly port: number;
  readonly mails: readonly RawMail[];
  /** Answers the next so many mails with 451. */
  refuse(times: number): void;
  close(): Promise<void>;
}

/** A mail server on loopback that takes everything. */
export async function startMailServer(options: SMTPServerOptions = {}): Promise<MailServer> {
  const mails: RawMail[] = [];
  let refusals = 0;
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ["STARTTLS"],
    disableReverseLookup: true,
    logger: false,
    onAuth: ({ username, password }, _session, done) =>
      password === "right" ? done(null, { user: username }) : done(new Error("wrong password")),
    onData: (stream, session, done) => {
      const pieces: Buffer[] = [];
      stream.on("data", (piece: Buffer) => void pieces.push(piece));
      stream.on("end", () => {
        if (refusals-- > 0) return done(Object.assign(new Error("try again"), { responseCode: 451 }));
        const { mailFrom, rcptTo } = session.envelope;
        mails.push({
          from: mailFrom === false ? "" : mailFrom.address,
          recipients: rcptTo.map(({ address }) => address),
          user: session.user,
          secure: session.secure,
          source: Buffer.concat(pieces).toString("utf8"),
        });
        done();
      });
    },
    ...options,
  });
  server.on("error", () => {}); // clients that go away
  server.listen(0, "127.0.0.1");
  await once(server.server, "listening");
  return {
    port: (server.server.address() as AddressInfo).port,
    mails,
    refuse: (times) => void (refusals = times),
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

/** The parts of a multipart/alternative mail and its subject, decoded (RFC 2045 §6, RFC 2047). */
export function readMail(source: string): { subject: string; text: string; html: string } {
  const [head, body] = halves(source);
  const boundary = /boundary="([^"]+)"/.exec(unfolded(head))?.[1] ?? "";
  const parts = body
    .split(`--${boundary}`)
    .slice(1, -1)
    .map((part) => halves(part.replace(/^\r\n/, "")));
  const part = (type: string): string => {
    const [headers = "", content = ""] = parts.find(([one]) => one.includes(type)) ?? [];
    const encoding = /content-transfer-encoding: *(\S+)/i.exec(headers)?.[1] ?? "";
    return decoded(content.replace(/\r\n$/, ""), encoding);
  };
  const subject = /^subject: *(.*)$/im.exec(unfolded(head))?.[1] ?? "";
  return { subject: words(subject), text: part("text/plain"), html: part("text/html") };
}

function halves(text: string): [string, string] {
  const at = text.indexOf("\r\n\r\n");
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 4)];
}

function unfolded(head: string): string {
  return head.replace(/\r\n[ \t]/g, " ");
}

function decoded(content: string, encoding: string): string {
  if (encoding === "base64") return Buffer.from(content, "base64").toString("utf8");
  if (encoding !== "quoted-printable") return content;
  const bytes = content.replace(/=\r\n/g, "").replace(/=([0-9A-F]{2})/gi, (_, hex: string) => `%${hex}`);
  return bytes
    .split(/((?:%[0-9A-F]{2})+)/i)
    .map((run, n) => (n % 2 === 1 ? fromHex(run) : run))
    .join("");
}

function fromHex(run: string): string {
  return Buffer.from(run.replaceAll("%", ""), "hex").toString("utf8");
}

export function words(text: string): string {
  return text
    .replace(/\?=\s+=\?/g, "?==?")
    .replace(/=\?utf-8\?([QB])\?([^?]*)\?=/gi, (_, kind: string, word: string) =>
      kind.toUpperCase() === "B"
        ? Buffer.from(word, "base64").toString("utf8")
        : word.replaceAll("_", " ").replace(/(?:=[0-9A-F]{2})+/gi, (run) => fromHex(run.replaceAll("=", "%"))),
    );
}
