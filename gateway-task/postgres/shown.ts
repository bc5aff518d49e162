import { redactPasses } from "../../core/identity/pass.ts";
import { MESSAGE_HEADER_BYTES } from "./messages.ts";
import { boundValues } from "./parameters.ts";
import { redactMessage } from "./redact.ts";
import { cutWireText } from "../../core/wire-text.ts";

/** Bytes of a statement that its approvers are shown, and of its parameters: more is not read. */
const MAX_SHOWN_TEXT = 8 << 10;
const MAX_SHOWN_PARAMETERS = 4 << 10;
const PARSE = 0x50;

/** The text of a Query or Parse as approvers are shown it: secrets scrubbed, cut to a length that a person reads. */
export function shownText(message: Buffer): string {
  const safe = redactMessage(message);
  const from = safe[0] === PARSE ? safe.indexOf(0, MESSAGE_HEADER_BYTES) + 1 : MESSAGE_HEADER_BYTES;
  const nul = safe.indexOf(0, from);
  const end = nul < 0 ? safe.length : nul;
  if (end - from <= MAX_SHOWN_TEXT) return cutWireText(safe, from, end);
  return `${cutWireText(safe, from, from + MAX_SHOWN_TEXT)}… (${end - from} bytes in all)`;
}

/** The parameters of a Bind, a line each. */
export function shownParameters(bind: Buffer): string {
  const { count, parameters } = boundValues({ body: bind.subarray(MESSAGE_HEADER_BYTES), compacted: false }, []);
  const lines = parameters.map(({ value, bytes }, index) => {
    const cut = bytes === undefined ? "" : `… (${bytes} bytes in all)`;
    return `$${index + 1} = ${value === null ? "NULL" : `'${redactPasses(value).replaceAll("'", "''")}'`}${cut}`;
  });
  const more = count - parameters.length;
  const text = [...lines, ...(more > 0 ? [`… and ${more} more parameters`] : [])].join("\n");
  return text.length > MAX_SHOWN_PARAMETERS ? `${text.slice(0, MAX_SHOWN_PARAMETERS)}…` : text;
}
