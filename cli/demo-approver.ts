import { setTimeout as delay } from "node:timers/promises";
import { SallyportError } from "../core/errors.ts";
import { browserless } from "./browserless-sign-in.ts";
import type { DemoStage } from "./demo-stage.ts";

/** Mail is written within a second of the request. */
const MAIL_WITHIN_MS = 15_000;
const POLL_MS = 100;
const MAIL = /<pre>([\s\S]*?)<\/pre>/g;
/** The page shows the mail's text with its link. */
const LINK = /href="(\/approvals\/by-mail\?token=[^"]+)"/;
const ENTITIES: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', "#39": "'" };

/** What an approver consents to, and how. */
interface Consent {
  /** A part of what is asked, by which they know the mail. */
  readonly about: string;
  /** What they say to it. */
  readonly words: string;
  /** Called when they have the mail, before they follow its link. */
  readonly asked?: () => Promise<void>;
}

/**
 * An approver at a browser: signs in, waits for a mail that asks for this consent, follows its link, and approves.
 * @returns the mail's text. Throws where no mail comes, or where the approval is not taken.
 */
export async function approveByMail(
  { running: { url }, password }: DemoStage,
  user: string,
  { about, words, asked }: Consent,
): Promise<string> {
  const browser = browserless();
  let page = await browser.open(`${url}/auth/login?${new URLSearchParams({ return_to: "/outbox" }).toString()}`);
  page = await browser.submit(page, { user, password });
  for (const deadline = performance.now() + MAIL_WITHIN_MS; performance.now() < deadline; await delay(POLL_MS)) {
    page = await browser.open(`${url}/outbox`);
    const mails = [...page.text.matchAll(MAIL)].map(([, mail = ""]) => ({ text: textOf(mail), link: linkOf(mail) }));
    const mail = mails.find(({ text }) => text.includes(about));
    if (mail?.link === undefined) continue;
    await asked?.();
    const decided = await browser.submit(await browser.open(`${url}${mail.link}`), { words, decision: "approve" });
    if (decided.status !== 200)
      throw new SallyportError("internal", `the approval ended with status ${decided.status}`);
    return mail.text;
  }
  throw new SallyportError("internal", `no mail asked ${user} for consent`);
}

/** Without its markup. */
function textOf(html: string): string {
  return unescaped(html.replace(/<[^>]*>/g, ""));
}

function linkOf(html: string): string | undefined {
  const link = LINK.exec(html)?.[1];
  return link === undefined ? undefined : unescaped(link);
}

function unescaped(html: string): string {
  return html.replace(/&(amp|lt|gt|quot|#39);/g, (entity, name: string) => ENTITIES[name] ?? entity);
}
