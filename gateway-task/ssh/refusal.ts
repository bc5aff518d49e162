import { asSallyportError } from "../../core/errors.ts";
import type { Decision } from "../../core/ports/approval-desk.ts";
import { consentsText, type Waiting } from "../consent.ts";
import type { Block, Hold } from "../ruling.ts";
import { MESSAGE, message } from "./messages.ts";

/** The one place that turns what was decided into SSH's terms. */

/** As a shell says that a command was found and could not be run (POSIX.1-2024, XCU 2.8.2). */
const CANNOT_EXECUTE = 126;
/** 128 + SIGINT. */
const INTERRUPTED = 130;
/** RFC 4254 §5.2 SSH_EXTENDED_DATA_STDERR. */
const STDERR = 1;

export interface Refusal {
  readonly text: string;
  readonly status: number;
}

export function refusalOfBlock({ policies, reason }: Pick<Block, "policies" | "reason">): Refusal {
  const which = policies.length > 0 ? `Policy: ${policies.join(", ")}.` : "No policy permits it.";
  return { text: `${reason}. ${which}`, status: CANNOT_EXECUTE };
}

/** Undefined: it was granted, under the policies that still hold. */
export function refusalOfDecision(
  decided: Decision,
  { policies, policyVersion }: Pick<Hold, "policies" | "policyVersion">,
  version: string,
): Refusal | undefined {
  const which = `Policy: ${policies.join(", ")}.`;
  const refused = (why: string): Refusal => ({ text: `${why}. ${which}`, status: CANNOT_EXECUTE });
  switch (decided.kind) {
    case "granted":
      return version === policyVersion ? undefined : refused("the policies have changed while it was held; ask again");
    case "denied":
      return refused(`denied by ${decided.by.name}${decided.by.words === "" ? "" : `: ${decided.by.words}`}`);
    case "expired":
      return refused("nobody consented in time; ask again when an approver is at hand");
    case "cancelled":
      return { text: "cancelled while it was held for consent", status: INTERRUPTED };
  }
}

/** What failed, so that nothing can be said for it: it does not run (invariant 2). */
export function refusalOfError(thrown: unknown): Refusal {
  const { message: text, hint } = asSallyportError(thrown, "internal", "the gateway failed");
  return { text: hint === undefined ? text : `${text}. ${hint}`, status: CANNOT_EXECUTE };
}

/** What a client is told at once when something of its is held. */
export function textOfHold({ reason, consents, policies }: Hold, { link, expiresAt }: Waiting): string {
  const until = new Date(expiresAt).toISOString();
  return (
    `held for consent: ${reason}. Asked of ${consentsText(consents)}, until ${until}. Policy: ${policies.join(", ")}.\n` +
    `sallyport: they decide at ${link} ; Ctrl-C gives up.`
  );
}

/** A text of ours for the person at a channel: on the terminal if there is one, else on standard error. */
export function notice(
  recipient: number,
  terminal: boolean,
  text: string,
  newLine = false,
): { message: Buffer; bytes: number } {
  const lines = Buffer.from(`${newLine ? "\n" : ""}sallyport: ${text}\n`.replaceAll("\n", terminal ? "\r\n" : "\n"));
  const fields = terminal ? [lines] : [STDERR, lines];
  const type = terminal ? MESSAGE.channelData : MESSAGE.channelExtendedData;
  return { message: message(type, recipient, ...fields), bytes: lines.length };
}

/** What a client gets in place of the command that it asked for, up to the close. */
export function refusedCommand(
  recipient: number,
  { wantReply, terminal }: { readonly wantReply: boolean; readonly terminal: boolean },
  { text, status }: Refusal,
): Buffer[] {
  return [
    ...(wantReply ? [message(MESSAGE.channelSuccess, recipient)] : []),
    notice(recipient, terminal, text).message,
    message(MESSAGE.channelRequest, recipient, "exit-status", false, status),
    message(MESSAGE.channelEof, recipient),
  ];
}
