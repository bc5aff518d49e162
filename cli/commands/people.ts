import { Command } from "commander";
import { endedAccessView } from "../api-views.ts";
import { asks } from "../context.ts";

/** What administrators do with people. */
export function peopleCommand(): Command {
  return new Command("people").description("for administrators: end somebody's access").addCommand(endAccessCommand());
}

function endAccessCommand(): Command {
  const command = new Command("end-access")
    .description("end everything that somebody holds, at once: sessions, passes, sign-ins, pending requests")
    .argument("<who>", "an e-mail address, or an id as `sallyport sessions --json` shows it")
    .addHelpText(
      "after",
      "\nThey can sign in again until the identity provider refuses them, and a service can exchange a new token until its\nrule is taken out of services.yaml: do that first.",
    );
  return asks(command, async ({ out, api }, self) => {
    const path = `/api/people/${encodeURIComponent(self.args[0] ?? "")}/end-access`;
    const answer = await api().json({ method: "POST", path }, endedAccessView);
    if (out.json) return out.value(answer);
    for (const { id, name, passes, sessions } of answer.people)
      out.line(`${name} (${id}): ${passes} passes revoked, ${sessions} live sessions end within 5 seconds.`);
  });
}
