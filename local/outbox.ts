import type { DatabaseSync } from "node:sqlite";
import { z } from "zod";
import { foldName } from "../core/approval/same-person.ts";
import { asSallyportError } from "../core/errors.ts";
import type { Clock } from "../core/ports/clock.ts";
import type { Mailer } from "../core/ports/mailer.ts";
import type { KeptMail, Outbox } from "../core/ports/outbox.ts";
import { stored } from "./database.ts";

/** Who needs more has a mail server. */
const MAX_KEPT = 1_000;

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    folded_email TEXT NOT NULL,
    mail TEXT NOT NULL
  ) STRICT;
  CREATE INDEX IF NOT EXISTS outbox_to ON outbox (folded_email, id);
`;

const mail = z.object({
  to: z.object({ name: z.string(), email: z.string() }),
  subject: z.string(),
  text: z.string(),
  html: z.string(),
});
const row = z.object({ at: z.number(), mail: z.string() });

/** A mailer that keeps the newest mails instead of sending them: for one machine without a mail server. */
export function sqliteOutbox(db: DatabaseSync, clock: Clock): Mailer & Outbox {
  db.exec(SCHEMA);
  const insert = db.prepare("INSERT INTO outbox (at, folded_email, mail) VALUES (?, ?, ?)");
  const forget = db.prepare("DELETE FROM outbox WHERE id <= (SELECT max(id) FROM outbox) - ?");
  const all = db.prepare("SELECT at, mail FROM outbox ORDER BY id DESC LIMIT ?");
  const to = db.prepare("SELECT at, mail FROM outbox WHERE folded_email = ? ORDER BY id DESC LIMIT ?");
  return {
    send: async (sent) => {
      try {
        insert.run(clock(), foldName(sent.to.email), JSON.stringify(sent));
        forget.run(MAX_KEPT);
      } catch (thrown) {
        throw asSallyportError(thrown, "mail-unavailable", "the mail could not be kept");
      }
    },
    list: (email, limit) =>
      stored("list the outbox", () =>
        (email === undefined ? all.all(limit) : to.all(foldName(email), limit)).map(toMail),
      ),
  };
}

function toMail(found: unknown): KeptMail {
  const { at, mail: text } = row.parse(found);
  return { ...mail.parse(JSON.parse(text)), at };
}
