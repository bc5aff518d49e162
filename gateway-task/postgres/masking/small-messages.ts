import type { MaskRule } from "../../../core/masking/masking.ts";
import { message } from "../answers.ts";
import { MESSAGE_HEADER_BYTES } from "../messages.ts";
import { stringEnd } from "../../../core/wire-text.ts";
import { UNRESOLVED } from "./catalog-snapshot.ts";
import type { Answering } from "./replies.ts";
import type { MaskView } from "./view.ts";

const NOTIFICATION = 0x41;
const PARAMETER_STATUS = 0x53;
/** Functions of the server itself end here (FirstNormalObjectId). */
const FIRST_OWN_OID = 16_384;

/**
 * A NotificationResponse, ParameterStatus or FunctionCallResponse (PostgreSQL 18 §54.7), complete, as a view may have it;
 * undefined if that is as it is. Detectors look through it; what a function that is not the server's own answers is
 * hidden where columns are masked, since nobody can tell what it reads.
 */
export function rewriteSmall(
  bytes: Buffer,
  answering: Answering,
  hasColumnRules: boolean,
  view: MaskView,
): Buffer | undefined {
  if (bytes[0] === NOTIFICATION) return rewriteText(bytes, MESSAGE_HEADER_BYTES + 4, view);
  if (bytes[0] === PARAMETER_STATUS) return rewriteText(bytes, MESSAGE_HEADER_BYTES, view);
  return rewriteResult(bytes, answering, hasColumnRules, view);
}

/** The second of two strings: a notification's payload, a setting's value. */
function rewriteText(bytes: Buffer, first: number, { masking, count }: MaskView): Buffer | undefined {
  if (!masking.hasDetectors) return undefined;
  const start = stringEnd(bytes, first, bytes.length) + 1;
  const end = stringEnd(bytes, start, bytes.length);
  if (start >= end) return undefined;
  const text = bytes.subarray(start, end);
  const masked = masking.detectInText(text, count);
  if (masked === text) return undefined;
  return message(
    bytes.toString("latin1", 0, 1),
    Buffer.concat([bytes.subarray(MESSAGE_HEADER_BYTES, start), masked, bytes.subarray(end)]),
  );
}

function rewriteResult(
  bytes: Buffer,
  answering: Answering,
  hasColumnRules: boolean,
  view: MaskView,
): Buffer | undefined {
  const start = MESSAGE_HEADER_BYTES + 4;
  if (bytes.length <= start || bytes.readInt32BE(MESSAGE_HEADER_BYTES) < 0) return undefined;
  const value = bytes.subarray(start);
  const own = answering.kind !== "call" || answering.oid >= FIRST_OWN_OID;
  const rule: MaskRule | undefined = own && hasColumnRules && view.applies(UNRESOLVED) ? UNRESOLVED : undefined;
  if (rule !== undefined) view.count(rule);
  else if (!view.masking.hasDetectors) return undefined;
  const masked = rule === undefined ? view.masking.detectInValue(value, 0, 0, view.count) : undefined;
  if (masked === value) return undefined;
  const length = Buffer.alloc(4);
  length.writeInt32BE(masked?.length ?? -1);
  return message("V", masked === undefined ? length : Buffer.concat([length, masked]));
}
