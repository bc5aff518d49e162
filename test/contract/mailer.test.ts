import { SESv2Client } from "@aws-sdk/client-sesv2";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, test } from "vitest";
import { clientOptions } from "../../aws/client-options.ts";
import { sesMailer } from "../../aws/ses-mailer.ts";
import { openDatabase } from "../../local/database.ts";
import { sqliteOutbox } from "../../local/outbox.ts";
import { smtpMailer } from "../../local/smtp-mailer.ts";
import { readMail, startMailServer, words } from "../setup/mail-server.ts";
import { ANYBODY } from "../setup/moto.ts";
import { startSes } from "../setup/ses.ts";
import { testAuthority } from "../setup/certificates.ts";
import { mailerContract } from "./mailer.ts";

const FROM = "sallyport@shop.example";

mailerContract("the outbox", async () => {
  const db = openDatabase(":memory:");
  const outbox = sqliteOutbox(db, Date.now);
  return {
    mailer: outbox,
    received: async () =>
      (await outbox.list(undefined, 10)).map(({ to, subject, text, html }) => ({
        recipients: [to.email],
        subject,
        text,
        html,
      })),
    fail: async () => db.close(),
    close: async () => {},
  };
});

mailerContract("SMTP", async () => {
  const server = await startMailServer();
  return {
    mailer: smtpMailer({ url: `smtp://127.0.0.1:${server.port}`, password: undefined, from: FROM }),
    received: async () => server.mails.map(({ recipients, source }) => ({ recipients, ...readMail(source) })),
    fail: async () => server.refuse(1),
    close: () => server.close(),
  };
});

const sesClient = (endpoint: string): SESv2Client => new SESv2Client({ ...clientOptions(), ...ANYBODY, endpoint });

mailerContract("SES", async () => {
  const ses = await startSes();
  return {
    mailer: sesMailer({ client: sesClient(ses.endpoint), from: FROM }),
    received: async () =>
      (await ses.mails()).map(({ destination: { to, cc, bcc }, subject, body: { text = "", html = "" } }) => ({
        recipients: [...to, ...cc, ...bcc].map((one) => /<([^<>]*)>$/.exec(one)?.[1] ?? one),
        subject: words(subject),
        text,
        html,
      })),
    fail: () => ses.close(),
    close: () => ses.close(),
  };
});

const mail = { to: { name: "Bob", email: "bob@shop.example" }, subject: "s", text: "t", html: "<p>h</p>" };

describe("mail by SMTP", () => {
  it("comes from the address that was configured, says that a program wrote it, and shows its password", async () => {
    const server = await startMailServer();
    await smtpMailer({ url: `smtp://me@127.0.0.1:${server.port}`, password: "right", from: FROM }).send(mail);
    expect(server.mails).toMatchObject([{ from: FROM, user: "me" }]);
    expect(server.mails[0]?.source).toMatch(/^Auto-Submitted: auto-generated\r$/m);
    const wrong = smtpMailer({ url: `smtp://me@127.0.0.1:${server.port}`, password: "wrong", from: FROM });
    await expect(wrong.send(mail)).rejects.toMatchObject({ code: "mail-unavailable" });
    await server.close();
  });

  it("goes to no server whose certificate cannot be verified", async () => {
    const folder = await mkdtemp(join(tmpdir(), "sallyport-mailer-"));
    const { cert, key } = await (await testAuthority(folder)).issue("localhost", "127.0.0.1");
    await rm(folder, { recursive: true });
    const server = await startMailServer({ secure: true, cert, key });
    const mailer = smtpMailer({ url: `smtps://127.0.0.1:${server.port}`, password: undefined, from: FROM });
    await expect(mailer.send(mail)).rejects.toMatchObject({ code: "mail-unavailable" });
    expect(server.mails).toEqual([]);
    await server.close();
  });

  it.each([
    ["http://mail.example", undefined],
    ["smtp://", undefined],
    ["nonsense", undefined],
    ["smtp://me:secret@mail.example", undefined],
    ["smtp://me@mail.example", undefined],
    ["smtp://mail.example/?tls=no", undefined],
  ])("is not set up by what cannot be meant: %s", (url, password) => {
    expect(() => smtpMailer({ url, password, from: FROM })).toThrow(
      expect.objectContaining({ code: "configuration-invalid" }),
    );
  });

  it("comes from no address that is none", () => {
    for (const from of ["", "me", "me@x, you@y", "Me <me@x>"])
      expect(() => smtpMailer({ url: "smtp://mail.example", password: undefined, from })).toThrow(
        expect.objectContaining({ code: "configuration-invalid" }),
      );
  });
});

describe("mail by SES", () => {
  it("comes from the address that was configured, says that a program wrote it, and names its reader in ASCII", async () => {
    const ses = await startSes();
    const mailer = sesMailer({ client: sesClient(ses.endpoint), from: FROM });
    await mailer.send({ ...mail, to: { name: "Bøb, Esq. <x@y>", email: "bob@shop.example" } });
    await mailer.send({ ...mail, to: { name: "x".repeat(400), email: "bob@shop.example" } });
    const [named, plain] = await ses.mails();
    expect(named).toMatchObject({
      from: `Sallyport <${FROM}>`,
      headers: expect.arrayContaining([{ name: "Auto-Submitted", value: "auto-generated" }]),
    });
    const [, name = "", email] = /^([\x21-\x7e ]*) <([^<>]*)>$/.exec(named?.destination.to[0] ?? "") ?? [];
    expect([words(name), email]).toEqual(["Bøb, Esq. <x@y>", "bob@shop.example"]);
    expect(plain?.destination.to).toEqual(["bob@shop.example"]);
    await ses.close();
  });

  it.each([
    [429, "TooManyRequestsException"],
    [400, "MessageRejected"],
    [400, "SendingPausedException"],
    [503, "ServiceUnavailable"],
  ])("may be tried again where SES says %s %s", async (status, code) => {
    const server = createServer((_request, response) => {
      response.writeHead(status, { "x-amzn-errortype": code, "content-type": "application/json" }).end("{}");
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const mailer = sesMailer({ client: sesClient(`http://127.0.0.1:${port}`), from: FROM });
    await expect(mailer.send(mail)).rejects.toMatchObject({ code: "mail-unavailable" });
    server.closeAllConnections();
    server.close();
  });

  it("is for an e-mail address, and comes from one", async () => {
    const client = sesClient("http://127.0.0.1:9");
    for (const address of ["", "me", "me@x, you@y", "Me <me@x>"]) {
      expect(() => sesMailer({ client, from: address })).toThrow(
        expect.objectContaining({ code: "configuration-invalid" }),
      );
      const sent = sesMailer({ client, from: FROM }).send({ ...mail, to: { name: "", email: address } });
      await expect(sent).rejects.toMatchObject({
        code: "mail-unavailable",
        message: "a mail is for no e-mail address",
      });
    }
  });
});

test("the outbox lists newest first, to an address however it is written, and keeps a thousand", async () => {
  const outbox = sqliteOutbox(openDatabase(":memory:"), () => 7);
  for (let n = 0; n < 1_005; n++)
    await outbox.send({
      ...mail,
      subject: String(n),
      to: { name: "", email: n % 2 ? "Bob@shop.example" : "eve@x.example" },
    });
  const subjects = async (email: string | undefined, limit: number) =>
    (await outbox.list(email, limit)).map(({ subject }) => subject);
  expect(await subjects(undefined, 3)).toEqual(["1004", "1003", "1002"]);
  expect(await subjects("bob@SHOP.example", 2)).toEqual(["1003", "1001"]);
  expect(await subjects("%", 9)).toEqual([]);
  expect((await subjects(undefined, 5_000)).length).toBe(1_000);
});
