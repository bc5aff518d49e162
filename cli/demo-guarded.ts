import type { Api } from "./api-client.ts";
import { approveByMail } from "./demo-approver.ts";
import { closedSession, type Seen } from "./demo-acts.ts";
import { type Checks, quoted, replay, say, wrongSight } from "./demo-checks.ts";
import { GUARDED_SCRIPT, PERSONAL_DATA, type Scripted } from "./demo-script.ts";
import type { DemoStage } from "./demo-stage.ts";

const WORDS = "The parcel was returned, go ahead.";
/** Shorter ones stand in other texts by chance. */
const TELLING = 5;

/** Policy and masking at work: a statement is blocked, one waits until bob consents by the link of his mail, data is masked. */
export async function playGuarded(
  stage: DemoStage,
  alice: Api,
  checks: Checks,
  work: (script: readonly Scripted[]) => Promise<Seen>,
): Promise<void> {
  const [seen, mail] = await Promise.all([
    work(GUARDED_SCRIPT),
    approveByMail(stage, "bob", { about: "delete from order_items", words: WORDS }),
  ]);
  say("The mail to bob, by whose link he consented:\n");
  say(quoted(mail));
  checks.note(
    "a DROP is blocked, a DELETE runs once bob has consented, and the session goes on",
    wrongSight(seen, GUARDED_SCRIPT, /dropping a table/),
  );
  const text = await replay(stage, alice, await closedSession(alice, 3), GUARDED_SCRIPT, checks);
  checks.note("the record says who consented", text.includes(WORDS) ? undefined : "it does not");
  const secrets = (await stage.truth(PERSONAL_DATA)).filter((one) => String(one).length >= TELLING).map(String);
  const shown = [seen.text, text].flatMap((where) => secrets.filter((secret) => where.includes(secret)));
  checks.note(
    `of ${secrets.length} e-mail addresses, telephone and card numbers none is shown, and none is recorded`,
    secrets.length < GUARDED_SCRIPT.length || shown.length > 0 ? `shown: ${shown.join(", ")}` : undefined,
  );
}
