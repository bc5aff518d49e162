import type { Asked } from "./gate.ts";
import type { MessageFields } from "./messages.ts";

/** What a request of a session's channel asks that is to be judged; undefined for one that the gateway does not know. */
export function askedBy(name: string, fields: MessageFields): Asked | undefined {
  switch (name) {
    case "shell":
      return { kind: "shell" };
    case "exec":
      return { kind: "command", command: Buffer.from(fields.bytes()) };
    case "subsystem":
      return { kind: "subsystem", name: fields.text() };
    case "auth-agent-req@openssh.com":
      return { kind: "agent" };
    case "x11-req":
      return { kind: "x11" };
    default:
      return undefined;
  }
}
