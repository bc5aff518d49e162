import { Command } from "commander";
import { WANTS } from "../../core/approval/presentable.ts";
import { type ApprovalView, approvalsView, approvalView } from "../api-views.ts";
import { asks } from "../context.ts";
import { moment } from "../output.ts";
import { wholeNumber } from "../whole-number.ts";

const MAX_LISTED = 200;
/** Characters of a statement in a list. */
const MAX_SUMMARY = 60;

/** Consents to what is held: what waits for me, and my answers. */
export function approvalsCommand(): Command {
  return new Command("approvals")
    .description("what waits for a consent: list it, read it, decide on it")
    .addCommand(listCommand(), { isDefault: true })
    .addCommand(showCommand())
    .addCommand(decisionCommand("approve", "consent to a request; it then runs, once"))
    .addCommand(decisionCommand("deny", "refuse a request"))
    .addCommand(endCommand("cancel", "give up a request of your own"))
    .addCommand(endCommand("revoke", "take back a consent that was not used yet"));
}

function listCommand(): Command {
  const command = new Command("list")
    .description("what waits for you, newest first")
    .option("--all", "everything that you may see, decided or not")
    .option("--after <approval>", "older than this one: the `next` of the list before")
    .option("--limit <n>", `how many, at most ${MAX_LISTED}`, wholeNumber(1, MAX_LISTED), 50);
  return asks(command, async ({ out, api }, self) => {
    const { all, after, limit } = self.opts<{ all?: boolean; after?: string; limit: number }>();
    const query = new URLSearchParams({ limit: String(limit), ...(all !== true && { waiting: "me" }) });
    if (after !== undefined) query.set("after", after);
    const answer = await api().json({ path: `/api/approvals?${query.toString()}` }, approvalsView);
    if (out.json) return out.value(answer);
    const rows = answer.approvals.map((one) => [
      one.id,
      moment(one.requestedAt),
      [one.requester.name, ...one.actors].join(" through "),
      one.connection,
      one.status,
      summaryOf(one.shown),
    ]);
    const empty = all === true ? "There are no approvals." : "Nothing waits for you.";
    out.table(["APPROVAL", "ASKED", "WHO", "CONNECTION", "STATE", "WHAT"], rows, empty);
    if (answer.next !== null) out.note(`Older ones: --after ${answer.next}`);
  });
}

function summaryOf(text: string): string {
  const line = text
    .slice(0, 2 * MAX_SUMMARY)
    .replaceAll(/\s+/g, " ")
    .trim();
  return line.length > MAX_SUMMARY || text.length > 2 * MAX_SUMMARY ? `${line.slice(0, MAX_SUMMARY)}…` : line;
}

function showCommand(): Command {
  return asks(ofOne(new Command("show").description("all of one request")), async ({ out, api }, self) => {
    const one = await api().json({ path: pathOf(self) }, approvalView);
    if (out.json) return out.value(one);
    for (const line of linesOf(one)) out.line(line);
  });
}

function linesOf(one: ApprovalView): string[] {
  const consents = one.consents.map(({ group, count }) => `${count} of ${group}`).join(" and ");
  return [
    `approval  ${one.id}: ${one.status}`,
    `who       ${one.requester.name} (${one.requester.id})`,
    ...(one.actors.length === 0 ? [] : [`through   ${one.actors.join(", for ")}`]),
    `wants to  ${WANTS[one.kind]}`,
    `where     ${one.connection}, environment ${one.environment}, from ${one.client}`,
    `why held  ${one.reason} (${one.policies.join(", ")})`,
    `needs     ${consents}`,
    `asked     ${moment(one.requestedAt)}, until ${moment(one.expiresAt)}`,
    `sha-256   ${one.digest}`,
    ...one.answers.map(
      ({ by, consents: yes, words, at }) =>
        `${yes ? "consents " : "refuses  "} ${by.name}, ${moment(at)}${words === "" ? "" : `: ${words}`}`,
    ),
    ...(one.closed === null
      ? []
      : [`ended     ${moment(one.closed.at)}${one.closed.by ? ` by ${one.closed.by.name}` : ""}`]),
    "",
    one.shown,
  ];
}

function decisionCommand(decision: "approve" | "deny", description: string): Command {
  const command = ofOne(new Command(decision).description(description)).option(
    "--words <words>",
    "that whoever asked shall read",
  );
  return asks(command, async ({ out, api }, self) => {
    const { words } = self.opts<{ words?: string }>();
    const body = { decision, ...(words !== undefined && { words }) };
    const one = await api().json({ method: "POST", path: `${pathOf(self)}/decision`, body }, approvalView);
    if (out.json) return out.value(one);
    out.line(
      one.status === "requested" ? `You consent to ${one.id}. Others must, too.` : `${one.id} is ${one.status}.`,
    );
  });
}

function endCommand(name: "cancel" | "revoke", description: string): Command {
  return asks(ofOne(new Command(name).description(description)), async ({ out, api }, self) => {
    const one = await api().json({ method: "POST", path: `${pathOf(self)}/${name}` }, approvalView);
    if (out.json) return out.value(one);
    out.line(`${one.id} is ${one.status}.`);
  });
}

function ofOne(command: Command): Command {
  return command.argument("<approval>", "as `sallyport approvals` shows it");
}

function pathOf(command: Command): string {
  return `/api/approvals/${encodeURIComponent(command.args[0] ?? "")}`;
}
