import { Command } from "commander";
import { configurationVersionView } from "../api-views.ts";
import { asks, offline } from "../context.ts";

const FOLDER = "config";

/** The folder of connections, policies, people, services and masks that a deployment is run by. */
export function configCommand(): Command {
  return new Command("config")
    .description("check a configuration, and publish it")
    .addCommand(checkCommand())
    .addCommand(pushCommand());
}

/** Needs no server: what is asked about is on this machine. */
function checkCommand(): Command {
  const command = new Command("check")
    .description("whether a folder is a valid configuration; if not, every fault")
    .argument("[folder]", "of connections.yaml, directory.yaml, masking.yaml and policies/", FOLDER);
  return offline(command, async (out, self) => {
    const { checkedFolder } = await import("../config-folder.ts");
    const [folder = FOLDER] = self.args;
    const { files, version } = await checkedFolder(folder);
    if (out.json) out.value({ folder, files: [...files.keys()], version });
    else out.line(`${folder} is valid: ${files.size} files, version ${version.slice(0, 12)}`);
  });
}

function pushCommand(): Command {
  const command = new Command("push")
    .description("for administrators: put a folder's configuration in force")
    .argument("[folder]", "of connections.yaml, directory.yaml, masking.yaml and policies/", FOLDER)
    .option("--expect <version>", "only where this version is in force: what you have seen");
  return asks(command, async ({ out, api, server }, self) => {
    const { checkedFolder } = await import("../config-folder.ts");
    const { files } = await checkedFolder(self.args[0] ?? FOLDER);
    const { expect: expected } = self.opts<{ expect?: string }>();
    const body = { files: Object.fromEntries(files), ...(expected !== undefined && { expected }) };
    const published = await api().json({ method: "POST", path: "/api/config", body }, configurationVersionView);
    if (out.json) return out.value(published);
    out.line(`Version ${published.version.slice(0, 12)} is in force at ${server}.`);
  });
}
