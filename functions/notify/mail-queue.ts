import type { Logger } from "pino";
import type { Instant } from "../../core/brand.ts";
import type { Clock } from "../../core/ports/clock.ts";
import type { Mail, Mailer } from "../../core/ports/mailer.ts";
import { causesOf } from "../shared/problem.ts";

/** Beyond that a mail server is not merely slow: what is new is told to the log alone. */
const MAX_QUEUED = 1_000;
/** Connections to the mail server at a time. */
const CONCURRENCY = 4;
/** Before each try but the first. */
const RETRY_AFTER_MS = [1_000, 5_000, 30_000, 120_000, 300_000];

interface QueuedMail {
  readonly mail: Mail;
  /** Names what it is about, in the log. */
  readonly about: string;
  /** Not sent at this time or later. */
  readonly until: Instant;
  /** Asked before each try: is there still a reason to send it? */
  readonly wanted: () => Promise<boolean>;
}

export interface MailQueue {
  /** Sends it as soon as may be; returns at once and never throws. */
  add(queued: QueuedMail): void;
  /** Sends nothing any more; resolves when nothing is under way. */
  readonly close: () => Promise<void>;
}

/** Mail that is tried again where it fails, within bounds; whoever adds to it never waits. */
export function mailQueue(mailer: Mailer, clock: Clock, logger: Logger): MailQueue {
  const waiting: { queued: QueuedMail; tries: number }[] = [];
  const timers = new Set<NodeJS.Timeout>();
  const underWay = new Set<Promise<void>>();
  let closed = false;

  const attempt = async (queued: QueuedMail, tries: number): Promise<void> => {
    const about = { approval: queued.about, to: queued.mail.to.email, tries: tries + 1 };
    try {
      if (!(clock() < queued.until) || !(await queued.wanted()))
        return logger.debug(about, "a mail is not needed any more");
      await mailer.send(queued.mail);
      logger.info(about, "a mail was sent");
    } catch (thrown) {
      const after = RETRY_AFTER_MS[tries];
      logger.warn({ ...about, causes: causesOf(thrown), again: after ?? "never" }, "a mail could not be sent");
      if (after !== undefined) later(queued, tries + 1, after);
    }
  };
  const take = (): (typeof waiting)[number] | undefined =>
    closed || underWay.size >= CONCURRENCY ? undefined : waiting.shift();
  const pump = (): void => {
    for (let next = take(); next !== undefined; next = take()) {
      const running = attempt(next.queued, next.tries).finally(() => {
        underWay.delete(running);
        pump();
      });
      underWay.add(running);
    }
  };
  const later = (queued: QueuedMail, tries: number, after: number): void => {
    if (closed) return;
    const timer = setTimeout(() => {
      timers.delete(timer);
      waiting.push({ queued, tries });
      pump();
    }, after);
    timers.add(timer);
  };

  return {
    add: (queued) => {
      const full = waiting.length + timers.size >= MAX_QUEUED;
      if (full || closed) return logger.error({ approval: queued.about }, "a mail is not sent: too many wait to be");
      waiting.push({ queued, tries: 0 });
      pump();
    },
    close: async () => {
      closed = true;
      for (const timer of timers) clearTimeout(timer);
      await Promise.allSettled(underWay);
    },
  };
}
