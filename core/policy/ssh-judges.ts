import { type ActionContext, commandContext, fileContext, peerContext } from "./cedar-context.ts";
import { FILE_OPERATIONS } from "./file-operations.ts";
import type { PolicyAction } from "./schema.ts";
import type { CommandFacts, Transfer } from "./shell/facts.ts";
import { UNTOLD_PATH } from "./shell/paths.ts";
import type { Ask, Policies, Verdict } from "./verdict.ts";

/** One action, with what there is to say of it. */
export interface Asked {
  readonly action: PolicyAction;
  readonly context: ActionContext | undefined;
}

type SshJudges = Pick<Policies, "command" | "file" | "forward" | "listen" | "ssh">;

/** What is asked over SSH, in the terms of policies. @param judge the strictest verdict of all that is asked at once */
export function sshJudges(judge: (ask: Ask, asked: readonly Asked[]) => Verdict): SshJudges {
  return {
    command: (ask, facts) => judge(ask, ofCommand(facts)),
    file: (ask, { operation, path }) =>
      judge(ask, [{ action: FILE_OPERATIONS[operation], context: fileContext(operation, path) }]),
    forward: (ask, to) => judge(ask, [{ action: "ssh:forward", context: peerContext(to) }]),
    listen: (ask, at) => judge(ask, [{ action: "ssh:listen", context: peerContext(at) }]),
    ssh: (ask, channel) => judge(ask, [{ action: channel, context: undefined }]),
  };
}

function ofCommand(facts: CommandFacts): readonly Asked[] {
  if (facts.parsed && facts.transfer !== undefined) return ofTransfer(facts.transfer);
  return [{ action: "ssh:exec", context: commandContext(facts) }];
}

/**
 * Where a path is a folder, which no text tells, what is moved is within it: so each path is judged with what may be below.
 * An SFTP server's operations are not told by its command: it may do anything to any file.
 */
function ofTransfer({ kind, direction, paths }: Transfer): readonly Asked[] {
  const actions = { read: ["ssh:read"], write: ["ssh:write"], both: ["ssh:read", "ssh:write"] } as const;
  const told = paths.length > 0 ? paths.flatMap((path) => [path, `${path}/{}`]) : [UNTOLD_PATH];
  return actions[direction].flatMap((action) => told.map((path) => ({ action, context: fileContext(kind, path) })));
}
