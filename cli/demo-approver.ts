import { setTimeout as delay } from "node:timers/promises";
import { SallyportError } from "../core/errors.ts";
import { DEMO_PASSWORD } from "../local/demo-people.ts";
import { browserless } from "./browserless-sign-in.ts";

/** Mail is written within a second of the request. */
const MAIL_WITHIN_MS = 15_000;
const POLL_MS = 100;
/** The page shows the mail's text with its link. */
const LINK = /href="(\/approvals\/by-mail\?token=[^"]+)"/;

/**
 * An approver at a browser: signs in, waits for a mail that asks for consent, follows its link, and approves.
 * @param words what they say to it
 * @returns the mail's text. Throws where no mail comes, or where the approval is not taken.
 */
export async function approveByMail(url: string, user: string, words: string): Promise<string> {
  const browser = browserless();
  const outbox = `${url}/outbox`;
  let page = await browser.open(`${url}/auth/login?${new URLSearchParams({ return_to: "/outbox" }).toString()}`);
  page = await browser.submit(page, { user, password: DEMO_PASSWORD });
  for (const deadline = performance.now() + MAIL_WITHIN_MS; performance.now() < deadline; await delay(POLL_MS)) {
    page = await browser.open(outbox);
    const link = LINK.exec(page.text)?.[1];
    if (link === undefined) continue;
    const decided = await browser.submit(await browser.open(`${url}${link.replaceAll("&amp;", "&")}`), {
      words,
      decision: "approve",
    });
    if (decided.status !== 200)
      throw new SallyportError("internal", `the approval ended with status ${decided.status}`);
    return mailText(page.text);
  }
  throw new SallyportError("internal", `no mail asked ${user} for consent`);
}

/** The first mail of the outbox's page, without its markup. */
function mailText(html: string): string {
  const [, mail = ""] = /<pre>([\s\S]*?)<\/pre>/.exec(html) ?? [];
  const ENTITIES: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', "#39": "'" };
  return mail
    .replace(/<[^>]*>/g, "")
    .replace(/&(amp|lt|gt|quot|#39);/g, (entity, name: string) => ENTITIES[name] ?? entity);
}
