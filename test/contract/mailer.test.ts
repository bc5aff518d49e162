import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, test } from "vitest";
import { openDatabase } from "../../local/database.ts";
import { sqliteOutbox } from "../../local/outbox.ts";
import { smtpMailer } from "../../local/smtp-mailer.ts";
import { readMail, startMailServer } from "../setup/mail-server.ts";
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
