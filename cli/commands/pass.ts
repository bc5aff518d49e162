import { Command } from "commander";
import { newPassView, passesView, passView } from "../api-views.ts";
import { asks } from "../context.ts";
import { moment } from "../output.ts";

/** A pass takes the place of a password with native clients. */
export function passCommand(): Command {
  return new Command("pass")
    .description("get, list or revoke passes: what native clients show as the password")
    .addCommand(issueCommand(), { isDefault: true })
    .addCommand(listCommand())
    .addCommand(revokeCommand());
}

function issueCommand(): Command {
  const command = new Command("issue")
    .description("get a pass, good for an hour; it is printed once, alone on standard output")
    .argument("[connection]", "the only connection that it shall open (default: every one of yours)")
    .option("--label <text>", "how you will know it again");
  return asks(command, async ({ out, api }, self) => {
    const [connection] = self.args;
    const { label } = self.opts<{ label?: string }>();
    const body = { ...(connection !== undefined && { connection }), ...(label !== undefined && { label }) };
    const issued = await api().json({ method: "POST", path: "/api/passes", body }, newPassView);
    if (out.json) return out.value(issued);
    out.line(issued.pass);
    out.note(
      `${issued.id}: for ${issued.connection ?? "every connection of yours"}, until ${moment(issued.expiresAt)}`,
    );
  });
}

function listCommand(): Command {
  return asks(new Command("list").description("your newest passes, without their text"), async ({ out, api }) => {
    const answer = await api().json({ path: "/api/passes" }, passesView);
    if (out.json) return out.value(answer);
    const rows = answer.passes.map((pass) => [
      pass.id,
      pass.status,
      pass.connection ?? "every one",
      moment(pass.expiresAt),
      pass.label,
    ]);
    out.table(["ID", "STATE", "CONNECTION", "EXPIRES", "LABEL"], rows, "You have no passes.");
  });
}

function revokeCommand(): Command {
  const command = new Command("revoke")
    .description("revoke a pass; sessions that live by it end within seconds")
    .argument("<id>", "as `sallyport pass list` shows it");
  return asks(command, async ({ out, api }, self) => {
    const path = `/api/passes/${encodeURIComponent(self.args[0] ?? "")}`;
    const revoked = await api().json({ method: "DELETE", path }, passView);
    if (out.json) return out.value(revoked);
    out.line(`Revoked ${revoked.id}. Its live sessions end within 5 seconds.`);
  });
}
