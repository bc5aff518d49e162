import { Command } from "commander";
import { SallyportError } from "../../core/errors.ts";
import { type ConnectionView, connectionsView, meView } from "../api-views.ts";
import { asks } from "../context.ts";
import { forgetLogin } from "../logins.ts";
import { moment } from "../output.ts";

export function logoutCommand(): Command {
  const command = new Command("logout").description("sign out; passes live on until they expire or are revoked");
  return asks(command, async ({ server, folder, login, out, api }) => {
    // First there: a token that is forgotten here but good there would be worse than the other way round.
    if (login !== undefined) await api().raw({ method: "POST", path: "/auth/logout" }).then(demandSignedOut);
    const signedOut = await forgetLogin(folder, server);
    if (out.json) return out.value({ server, signedOut });
    out.line(signedOut ? `Signed out of ${server}.` : `You were not signed in at ${server}.`);
  });
}

/** A token that the server does not take any more is as good as signed out. */
function demandSignedOut({ ok, status }: Response): void {
  if (!ok && status !== 401) throw new SallyportError("internal", `the server could not sign you out (${status})`);
}

export function whoamiCommand(): Command {
  const command = new Command("whoami").description("who you are to the server, and until when");
  return asks(command, async ({ server, out, api }) => {
    const me = await api().json({ path: "/api/me" }, meView);
    if (out.json) return out.value({ server, ...me });
    out.line(`${me.name} at ${server}`);
    out.line(`id      ${me.id}`);
    out.line(`groups  ${me.groups.join(", ") || "none"}`);
    out.line(`until   ${moment(me.sessionExpiresAt)}`);
  });
}

export function connectionsCommand(): Command {
  const command = new Command("connections").description("what you may connect to");
  return asks(command, async ({ out, api }) => {
    const answer = await api().json({ path: "/api/connections" }, connectionsView);
    if (out.json) return out.value(answer);
    const rows = answer.connections.map((one) => [one.name, one.protocol, howToOpen(one), one.description]);
    out.table(
      ["NAME", "PROTOCOL", "OPEN IT WITH", "DESCRIPTION"],
      rows,
      "None of your groups has access to a connection.",
    );
  });
}

function howToOpen({ name, protocol, command }: ConnectionView): string {
  return protocol === "postgres" ? `sallyport psql ${name}` : (command ?? "not now");
}
