import { redactPasses } from "../../core/identity/pass.ts";
import { MESSAGE_HEADER_BYTES } from "./messages.ts";
import { boundValues } from "./parameters.ts";
import { redactMessage } from "./redact.ts";
import { wireText } from "../../core/wire-text.ts";

/** Bytes of a statement that its approvers can be shown: what is longer cannot be consented to. */
export const MAX_SHOWN_TEXT = 64 << 10;
/** The same of one that is kept for as long as it is prepared. */
export const MAX_SHOWN_PREPARED = 8 << 10;
/** Bytes of its parameters; of longer ones the beginning is shown, and their length. */
const MAX_SHOWN_PARAMETERS = 4 << 10;
const PARSE = 0x50;

/** The text of a Query or Parse as approvers are shown it, whole, with secrets scrubbed; undefined where it is longer than `most` bytes. */
export function shownText(message: Buffer, most: number): string | undefined {
  const safe = redactMessage(message);
  const from = safe[0] === PARSE ? safe.indexOf(0, MESSAGE_HEADER_BYTES) + 1 : MESSAGE_HEADER_BYTES;
  const nul = safe.indexOf(0, from);
  const end = nul < 0 ? safe.length : nul;
  return end - from > most ? undefined : wireText(safe, from, end);
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
