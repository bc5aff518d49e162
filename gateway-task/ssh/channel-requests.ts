import { overwritePasses } from "../../core/identity/pass.ts";
import { namesSecretVariable } from "../secret-names.ts";
import type { Asked } from "./gate.ts";
import type { TerminalSize } from "./lines/terminal-model.ts";
import { DATA_AT, MessageFields } from "./messages.ts";

/** Requests of a channel that are passed on unjudged: they set the stage for what is judged, or follow it. */
export const HARMLESS_REQUESTS: ReadonlySet<string> = new Set([
  "pty-req",
  "env",
  "window-change",
  "xon-xoff",
  "signal",
  "break",
  "eow@openssh.com",
  "keepalive@openssh.com",
]);

/** What is recorded of a request of a channel (invariant 7), of the same length: no pass, and no variable that calls itself a secret. */
export function withoutSecrets(name: string, request: Buffer): Buffer {
  const recorded = overwritePasses(request);
  if (name !== "env") return recorded;
  const fields = new MessageFields(request, DATA_AT - 4);
  fields.text();
  fields.boolean();
  if (!namesSecretVariable(fields.text())) return recorded;
  const value = fields.at + 4;
  return Buffer.concat([request.subarray(0, value), Buffer.alloc(request.length - value, "*")]);
}

/** What a request of a session's channel asks that is to be judged; undefined for one that the gateway does not know. */
export function askedBy(name: string, fields: MessageFields): Asked | undefined {
  switch (name) {
    case "shell":
      return { kind: "shell" };
    case "exec":
      return { kind: "command", command: Buffer.from(fields.textBytes()) };
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

/** The size that a terminal has from now on, where a request tells it (RFC 4254 §6.2, §6.7). */
export function sizeIn(name: string, fields: MessageFields): TerminalSize | undefined {
  if (name !== "pty-req" && name !== "window-change") return undefined;
  if (name === "pty-req") fields.text();
  return { columns: fields.uint32(), rows: fields.uint32() };
}
